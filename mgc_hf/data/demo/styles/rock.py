"""Rock: straight eighths with a backbeat, guitar riffs and strums, root basses, pentatonic solos, organ and piano."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import GUITAR_KEYS, Bass, Comp, Drums, Lead, Variant

CHORDS = (
    "I bVII IV I",
    "I IV V IV",
    "I I IV V",
    "i bVII bVI bVII",
    "I V IV IV",
    "i bIII bVII IV",
    "vi IV I V",
    "I bIII IV I",
)
TWELVE_BARS = ("I I I I IV IV I I V IV I V", "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 V7 I7 I7")
BACKBEAT = Drums(
    grooves=(
        {
            "kick": "X.......X.x..... / X.x.....X.x..... / X......xX.x.....",
            "snare": "....X.......X... / ....X..g....X...",
            "hat": "x.x.x.x.x.x.x.x.",
        },
        {"kick": "X.....x.X....... / X.......x.x...x.", "snare": "....X.......X...", "ride": "x.x.x.x.x.x.x.x."},
        {
            "kick": "X.x...x.X.x.....",
            "snare": "....X.......X...",
            "crash": "x...x...x...x... / x.......x.......",
            "hat": "................ / x.x.x.x.x.x.x.x.",
        },
        {"kick": "X...x...X...x...", "snare": "....X..X....X...", "hat": "x.x.x.x.x.x.x.O."},
    ),
    kits=(gm.ROOM_KIT, gm.ROOM_KIT, gm.STANDARD_KIT),
    fills=0.6,
    crash=0.7,
    level=1.5,
)
RHYTHM_GUITARS = (gm.OVERDRIVE, gm.OVERDRIVE, gm.OVERDRIVE, gm.DISTORTION)
BASSES = (gm.PICK_BASS, gm.FINGER_BASS)
SOLOISTS = (gm.OVERDRIVE, gm.OVERDRIVE, gm.OVERDRIVE, gm.OOHS, gm.ROCK_ORGAN)
EIGHTHS = (
    "x.x.x.x.x.x.x.x.",
    "x-x.x-x.x-x.x-x.",
    "X---x.x.x---x.x.",
    "m.m.m.m.m.m.X-X-",
    "X-----X---X-X---",
    "X--X--X-X-m.m.X-",
)
LICKS = (
    "x-x-x-x-x---....",
    "x---x-x-x---x-x-",
    "..x-x-x-x-x-x---",
    "xxxxx-x-x-------",
    "x-------x-x-x-x-",
    "x.xxx.x-x---....",
)

VARIANTS = (
    Variant(
        "band",
        weight=3.0,
        keys=GUITAR_KEYS,
        tempo=(104, 152),
        progressions=CHORDS,
        drums=BACKBEAT,
        parts=(
            Comp(RHYTHM_GUITARS, EIGHTHS, "power", 43, level=-1.0),
            Comp(
                (gm.CLEAN_GUITAR, gm.ROCK_ORGAN, gm.PIANO, gm.STEEL),
                ("x---------------", "D...D.DU.UDUD.DU", "..x...x...x...x."),
                presence=0.8,
                level=-7.0,
            ),
            Bass(BASSES, ("1.1.1.1.1.1.1.1.", "1-1-1-1-1-1-1-1-", "1-----1-1-1-5-7-", "1.1.1.1.1.1.5.a.")),
            Lead(
                SOLOISTS,
                LICKS,
                ("minor pentatonic", "major pentatonic", "blues"),
                rest=0.25,
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.008,
    ),
    Variant(
        "rock and roll",
        weight=0.6,
        keys=GUITAR_KEYS,
        tempo=(140, 184),
        progressions=TWELVE_BARS,
        swing=(0.5, 0.58),
        drums=BACKBEAT,
        parts=(
            Comp(
                (gm.OVERDRIVE, gm.CLEAN_GUITAR, gm.OVERDRIVE),
                ("x.x.s.s.x.x.s.s.", "x.x.s.s.x.xxs.s."),
                "power",
                43,
                gate=0.85,
                level=-2.0,
            ),
            Comp(
                (gm.PIANO, gm.HONKY_TONK),
                ("x.x.x.x.x.x.x.x.", "..x...x...x...x."),
                "close",
                64,
                presence=0.8,
                level=-5.0,
            ),
            Bass(BASSES, ("1-1-3-3-5-5-6-5-", "1---3---5---6---", "1-1-5-5-6-6-5-5-")),
            Lead(
                (gm.OVERDRIVE, gm.CLEAN_GUITAR, gm.TENOR_SAX, gm.PIANO),
                LICKS,
                ("major blues", "blues"),
                rest=0.3,
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.008,
    ),
    Variant(
        "hard rock",
        weight=1.0,
        keys=GUITAR_KEYS,
        tempo=(88, 136),
        progressions=("i5 bIII5 IV5 i5", "I5 bVII5 IV5 I5", "i5 i5 bVII5 IV5", "i5 bVI5 bVII5 i5"),
        drums=BACKBEAT,
        parts=(
            Comp((gm.DISTORTION, gm.OVERDRIVE), EIGHTHS[2:], "power", 40, gate=0.95, level=0.0),
            Comp(
                (gm.ROCK_ORGAN, gm.OVERDRIVE),
                ("x---------------", "x-------x-------"),
                "power",
                52,
                presence=0.65,
                level=-8.0,
                gate=1.0,
            ),
            Bass(BASSES, ("1-1-1-1-1-1-1-1-", "1---1-1-1---1-1-", "1-----1-1-1-7-5-"), low=28),
            Lead(
                SOLOISTS[:3] + SOLOISTS[4:5],
                LICKS,
                ("blues", "minor pentatonic"),
                rest=0.25,
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.008,
    ),
    Variant(
        "jangle and folk rock",
        weight=0.8,
        keys=GUITAR_KEYS,
        tempo=(96, 140),
        progressions=CHORDS[:6],
        drums=BACKBEAT,
        parts=(
            Comp(
                (gm.STEEL, gm.CLEAN_GUITAR, gm.NYLON),
                ("D.DUD.DUD.DUD.DU", "D...D.DU.UDUD.DU", "D.D.D.DUD.D.D.DU"),
                "guitar",
                43,
                level=-2.0,
            ),
            Comp(
                (gm.CLEAN_GUITAR, gm.ROCK_ORGAN, gm.OVERDRIVE),
                ("0-2-1-2-3-2-1-2-", "x---------------", "x---x---x---x---"),
                "close",
                60,
                presence=0.8,
                level=-6.0,
            ),
            Bass(BASSES, ("1.1.1.1.1.1.1.1.", "1-----1-5-----5-", "1-1-1-1-5-5-5-a-")),
            Lead(SOLOISTS, LICKS, ("major pentatonic", "minor pentatonic"), rest=0.25, presence=0.9, expressive=True),
        ),
        loose=0.008,
    ),
    Variant(
        "ballad in twelve-eight",
        weight=0.4,
        keys=GUITAR_KEYS,
        tempo=(54, 74),
        progressions=("I vi IV V", "I V vi IV", "i bVI bIII bVII", "I iii IV V"),
        drums=Drums(
            (
                {
                    "kick": "X.....x..... / X....xx.....",
                    "snare": "...X.....X..",
                    "hat": "xxxxxxxxxxxx / xooxooxooxoo",
                    "crash": "............ / x...........",
                },
            ),
            kits=(gm.ROOM_KIT, gm.ROOM_KIT, gm.STANDARD_KIT),
            crash=0.6,
        ),
        parts=(
            Comp(
                (gm.CLEAN_GUITAR, gm.PIANO, gm.STEEL, gm.OVERDRIVE),
                ("012321012321", "xxxxxxxxxxxx", "012343012343"),
                "guitar",
                43,
                gate=1.5,
                level=-3.0,
            ),
            Comp(
                (gm.ROCK_ORGAN, gm.STRINGS, gm.DISTORTION),
                ("x-----------", "x-----x-----"),
                "close",
                55,
                presence=0.8,
                level=-7.0,
                gate=1.0,
            ),
            Bass(BASSES, ("1-----5-----", "1-11-11-15-5", "1--------1-a")),
            Lead(
                SOLOISTS,
                ("x--x-xx-----", "x-----x-xx--", "..xxxxx-----"),
                ("major pentatonic", "minor pentatonic"),
                rest=0.25,
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.009,
        dynamics=2.0,
    ),
)
