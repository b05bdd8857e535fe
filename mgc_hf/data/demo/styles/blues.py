"""Blues: twelve bars of dominant chords, shuffled triplets, boogie basses, call and response on the blues scale."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import GUITAR_KEYS, Bass, Comp, Drums, Lead, Variant

TWELVE_BARS = (
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 IV7 I7 I7 IV7 IV7 I7 I7 V7 IV7 I7 V7",
    "I7 I7 I7 I7 IV7 IV7 I7 I7 V7 V7 I7 I7",
)
MINOR_BLUES = ("i7 i7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 i7", "i7 iv7 i7 i7 iv7 iv7 i7 i7 bVI7 V7 i7 V7")
SLOW_BLUES = ("I7 IV7 I7 I7 IV7 IV7 I7 VI7 ii7 V7 I7,VI7 ii7,V7", "I9 IV9 I9 I9 IV9 IV9 I9 I9 V9 IV9 I9 V9")

SHUFFLE = Drums(
    grooves=(
        {
            "kick": "X.....x..... / X..x..x..x.. / X....xx.....",
            "snare": "...X.....X.. / ...X.g...X.g",
            "hat": "x.ox.ox.ox.o / xxxxxxxxxxxx",
        },
        {"kick": "x..x..x..x..", "snare": "...X.....X..", "ride": "x.ox.ox.ox.o", "pedal": "...o.....o.."},
        {"kick": "X.....x..x.. / X.....x.....", "snare": "o.oX.oo.oX.o / g.gX.gg.gX.g", "hat": "x.ox.ox.ox.o"},
    ),
    kits=(gm.STANDARD_KIT, gm.STANDARD_KIT, gm.ROOM_KIT),
    crash=0.3,
    level=2.0,
)
SLOW_TWELVE_EIGHT = Drums(
    grooves=(
        {"kick": "X.....x..... / X....xx.....", "snare": "...X.....X..", "hat": "xooxooxooxoo"},
        {"kick": "X.....x.....", "rim": "...X.....X..", "ride": "xooxooxooxoo", "pedal": "...o.....o.."},
    ),
    kits=(gm.STANDARD_KIT, gm.ROOM_KIT, gm.BRUSH_KIT),
    crash=0.25,
    level=-1.0,
)
BASSES = (gm.FINGER_BASS, gm.FINGER_BASS, gm.ACOUSTIC_BASS)
GUITARS = (gm.CLEAN_GUITAR, gm.CLEAN_GUITAR, gm.JAZZ_GUITAR, gm.OVERDRIVE)
SOLOISTS = (gm.HARMONICA, gm.HARMONICA, gm.HARMONICA, gm.CLEAN_GUITAR, gm.CLEAN_GUITAR, gm.OVERDRIVE, gm.PIANO)
LICKS = (
    "..xx.xx.xx--",
    "x.xx.xx-----",
    "xxxxxxx--...",
    "x--x.xx-----",
    "...xxxx.xx--",
    "x.xx.xx.xx.x",
    "......x.xx--",
)

VARIANTS = (
    Variant(
        "shuffle",
        weight=3.0,
        keys=GUITAR_KEYS,
        tempo=(92, 140),
        progressions=TWELVE_BARS,
        drums=SHUFFLE,
        parts=(
            Comp(GUITARS, ("x.xs.sx.xs.s", "x.xs.sx.xs.s | x.xs.ss.sx.x"), "power", 40, gate=0.8, level=-5.0),
            Comp((gm.PIANO, gm.PIANO, gm.ORGAN), ("..x..x..x..x", "x--...x.x...", "..x---..x..."), presence=0.8),
            Bass(BASSES, ("1--3--5--6--", "1.13.35.56.6", "1--3--5--6-- | 8--7--6--5--", "w--w--w--w--")),
            Lead(SOLOISTS, LICKS, ("blues", "minor pentatonic"), rest=0.35, presence=1.0, level=-2.0, expressive=True),
        ),
        loose=0.009,
    ),
    Variant(
        "slow blues",
        weight=1.2,
        keys=GUITAR_KEYS,
        tempo=(54, 76),
        progressions=SLOW_BLUES + MINOR_BLUES,
        drums=SLOW_TWELVE_EIGHT,
        parts=(
            Comp(
                (gm.ORGAN, gm.ROCK_ORGAN, gm.E_PIANO), ("x-----------", "x-----x-----"), "shell", level=-8.0, gate=1.0
            ),
            Comp((gm.PIANO, gm.CLEAN_GUITAR), ("..x..x..x..x", "xxxxxxxxxxxx", "x.xx.xx.xx.x"), presence=0.85),
            Bass(BASSES, ("1-----5-----", "1--1-15--5-5", "1--w--w--w--", "1-.3-.5-.6-.")),
            Lead(
                SOLOISTS,
                ("..xxxxx-----", "xxxxxxxxx---", *LICKS),
                ("blues",),
                rest=0.35,
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.012,
        dynamics=2.5,
    ),
    Variant(
        "country blues",
        weight=0.7,
        keys=GUITAR_KEYS,
        tempo=(76, 120),
        progressions=TWELVE_BARS,
        drums=Drums(
            ({"kick": "o..o..o..o..", "rim": "!..!..!..!.."},), fills=0.0, crash=0.0, level=-9.0, presence=0.5
        ),
        parts=(
            Comp((gm.STEEL, gm.NYLON), ("b.xb.xb.xb.x", "b..f.xb..f.x", "b.2b32b.2b.1"), "close", 55, level=-1.0),
            Lead(
                (gm.HARMONICA, gm.HARMONICA, gm.STEEL),
                LICKS,
                ("blues", "major blues"),
                rest=0.4,
                presence=0.95,
                expressive=True,
            ),
        ),
        loose=0.014,
        dynamics=1.5,
    ),
    Variant(
        "boogie-woogie",
        weight=0.7,
        keys=GUITAR_KEYS,
        tempo=(126, 176),
        progressions=TWELVE_BARS,
        swing=(0.6, 0.68),
        drums=Drums(
            ({"ride": "x.xxx.xx", "snare": "..x...x.", "kick": "x...x..."}, {"hat": "x.xxx.xx", "snare": "..X...X."}),
            kits=(gm.BRUSH_KIT, gm.JAZZ_KIT, gm.STANDARD_KIT),
            crash=0.1,
            level=-3.0,
            presence=0.7,
        ),
        parts=(
            Bass((gm.PIANO, gm.HONKY_TONK), ("13568653", "11335566 | 88776655", "18581858"), level=-2.0, low=33),
            Comp((gm.PIANO, gm.HONKY_TONK), ("..x..x..", "x.x..x.x", "xxxx....", "x..x..x."), "close", 64, level=-2.0),
            Bass((gm.ACOUSTIC_BASS,), ("w.w.w.w.", "1.3.5.6."), presence=0.8),
            Lead(
                (gm.PIANO, gm.HONKY_TONK, gm.TENOR_SAX),
                ("xxx.xxx.", "x.xxx.x.", "..x.xxx-", "xxxxxxxx"),
                ("major blues", "blues"),
                rest=0.35,
                level=-1.0,
            ),
        ),
        loose=0.008,
    ),
)
