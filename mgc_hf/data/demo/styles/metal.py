"""Metal: damped power chords in sixteenths and gallops, double kicks, flat seconds and fifths, fast minor leads."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import LOW_GUITAR_KEYS, Bass, Comp, Drums, Lead, Variant

RIFFS = (
    "i5 i5 bVI5 bVII5",
    "i5 i5 i5,bII5 i5",
    "i5 bVI5 bIII5 bVII5",
    "i5,bII5 i5,bIII5 i5,bII5 bVII5",
    "i5 bII5 i5 bV5",
    "i5 iv5 bVI5 V5",
)
DOUBLE_KICK = "XxxxXxxxXxxxXxxx"
FAST = Drums(
    grooves=(
        {"kick": DOUBLE_KICK, "snare": "....X.......X...", "ride": "x...x...x...x... / x.x.x.x.x.x.x.x."},
        {"kick": "X.xxX.xxX.xxX.xx / Xx..Xx..Xx..Xx..", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {
            "kick": "x.x.x.x.x.x.x.x.",
            "snare": "..X...X...X...X.",
            "hat": "x.x.x.x.x.x.x.x.",
            "crash": "x............... / ................",
        },
        {"kick": "X..xX..xX..xX..x", "snare": "....X.......X...", "china": "x...x...x...x..."},
    ),
    kits=(gm.POWER_KIT, gm.POWER_KIT, gm.ROOM_KIT),
    fills=0.6,
    crash=0.9,
)
HEAVY = Drums(
    grooves=(
        {
            "kick": "X.....x.X....... / X..x..x.X..x....",
            "snare": "....X.......X...",
            "hat": "x...x...x...x... / x.x.x.x.x.x.x.x.",
        },
        {"kick": "X.xx..xxX.xx....", "snare": "........X.......", "ride": "x...x...x...x..."},
        {"kick": "X.......XxxxXxxx", "snare": "........X.......", "crash": "x...x...x...x..."},
    ),
    kits=(gm.POWER_KIT, gm.POWER_KIT, gm.ROOM_KIT),
    fills=0.6,
    crash=0.8,
)
AXES = (gm.DISTORTION, gm.DISTORTION, gm.DISTORTION, gm.OVERDRIVE)
BASSES = (gm.PICK_BASS, gm.PICK_BASS, gm.FINGER_BASS)
SHRED = (
    "xxxxxxxxxxxxxxxx",
    "x-x-xxxxx-x-xxxx",
    "xxxxxxxxx-------",
    "x---x---xxxxxxxx",
    "x-------x-x-x---",
    "x.xxx.xxx.xxx.xx",
)
GALLOP = ("m.mmm.mmm.mmm.mm", "X-mmm.mmX-mmm.mm", "m.mmm.mmX---X---", "X.mmX.mmX.mmm.mm")
CHUG = ("mmmmmmmmmmmmmmmm", "X-mmmmX-mmmmX-mm", "mmmmmmmmmmX-X-X-", "mmX-mmX-mmX-mmmm", "m.mm.mm.m.mm.mX-")
SLOW_RIFFS = ("X-----X-m-m-X---", "X---m-m-X---m-m-", "X-------X---X---", "X--m--X-m--mX---", "m-m-X---m-m-X-X-")

VARIANTS = (
    Variant(
        "thrash",
        weight=2.5,
        keys=LOW_GUITAR_KEYS,
        tempo=(144, 200),
        progressions=RIFFS,
        drums=FAST,
        parts=(
            Comp(AXES, CHUG + GALLOP, "power", 40, gate=0.95, level=0.0),
            Bass(BASSES, ("1111111111111111", "1.1.1.1.1.1.1.1.", "1.111.111.111.11"), low=28),
            Lead(
                AXES,
                SHRED,
                ("phrygian", "minor", "harmonic minor"),
                low=62,
                high=88,
                rest=0.3,
                leap=0.15,
                presence=0.8,
                expressive=True,
            ),
        ),
        loose=0.005,
    ),
    Variant(
        "heavy groove",
        weight=1.0,
        keys=LOW_GUITAR_KEYS,
        tempo=(66, 112),
        progressions=RIFFS,
        drums=HEAVY,
        parts=(
            Comp(AXES, SLOW_RIFFS + CHUG[3:], "power", 38, gate=0.98, level=0.0),
            Comp(
                (gm.DISTORTION, gm.CHOIR, gm.ROCK_ORGAN, gm.STRINGS),
                ("x---------------",),
                "power",
                52,
                presence=0.65,
                level=-8.0,
                gate=1.0,
            ),
            Bass(BASSES, ("1-----1-1-1-1---", "1---1-1-1---1-1-", "1-1-1-1-1-1-1-1-"), low=28),
            Lead(
                AXES, SHRED, ("blues", "minor", "phrygian"), low=60, high=86, rest=0.3, presence=0.8, expressive=True
            ),
        ),
        loose=0.008,
    ),
    Variant(
        "gallop with harmony leads",
        weight=1.2,
        keys=LOW_GUITAR_KEYS,
        tempo=(124, 168),
        progressions=("i5 bVI5 bVII5 i5", "i5 i5 bVI5 bVII5", "i5 bVII5 bVI5 V5", "i5 bIII5 bVII5 iv5"),
        drums=FAST,
        parts=(
            Comp(AXES, GALLOP, "power", 40, gate=0.95, level=-1.0),
            Bass(BASSES, ("1.111.111.111.11", "1-1-1-1-1-1-1-1-"), low=28, level=-1.0),
            Lead(
                AXES,
                SHRED,
                ("minor", "harmonic minor"),
                low=64,
                high=88,
                rest=0.1,
                repeat=0.8,
                presence=0.9,
                level=-1.0,
                expressive=True,
            ),
        ),
        loose=0.006,
    ),
    Variant(
        "clean verse, heavy chorus",
        weight=0.6,
        keys=LOW_GUITAR_KEYS,
        tempo=(76, 120),
        progressions=("i bVI bIII bVII", "i bVII bVI bVI", "i iv bVI V", "i bVI i bVII"),
        drums=HEAVY,
        parts=(
            Comp(
                (gm.CLEAN_GUITAR, gm.STEEL, gm.JAZZ_GUITAR),
                ("0-1-2-3-4-3-2-1-", "0-2-3-2-4-2-3-2-"),
                "guitar",
                43,
                gate=2.0,
                level=-3.0,
            ),
            Comp(AXES, SLOW_RIFFS[:3], "power", 40, presence=0.8, level=0.0, gate=1.0),
            Comp((gm.STRINGS, gm.CHOIR, gm.SYNTH_STRINGS), ("x---------------",), presence=0.75, level=-8.0, gate=1.0),
            Bass(BASSES, ("1-----1-1-------", "1-1-1-1-1-1-1-1-"), low=28),
            Lead(AXES, SHRED[1:5], ("minor", "harmonic minor"), rest=0.3, presence=0.8, expressive=True),
        ),
        loose=0.008,
    ),
)
