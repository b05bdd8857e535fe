"""Reggae: chords on the off-beats; one-drop, rockers and steppers drums; heavy basses with rests; organ bubbles."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import GUITAR_KEYS, Bass, Comp, Drums, Lead, Variant

TWO_CHORDS = (
    "I IV",
    "i iv",
    "I ii",
    "i bVII",
    "I V IV IV",
    "i i bVII iv",
    "I vi ii V",
    "I V vi IV",
    "I I IV V",
    "i bVI bVII i",
)
ONE_DROP = Drums(
    grooves=(
        {
            "kick": "........X.......",
            "rim": "........X....... / ........X..?....",
            "hat": "x.x.x.x.x.x.x.x. / xoxoxoxoxoxoxoxo / ..x...x...x...x.",
        },
        {"kick": "........X.....!.", "snare": "........X.......", "hat": "x.xxx.x.x.xxx.x. / x.x.x.xxx.x.x.O."},
        {
            "kick": "........X.......",
            "rim": "...?..?.X..?..?.",
            "hat": "x.x.x.x.x.x.x.x.",
            "shaker": "xoxoxoxoxoxoxoxo / ................",
        },
    ),
    kits=(gm.STANDARD_KIT, gm.ROOM_KIT),
    fills=0.6,
    crash=0.35,
)
ROCKERS = Drums(
    grooves=(
        {"kick": "X...X...X...X...", "snare": "........X.......", "hat": "x.x.x.x.x.x.x.x. / xoxoxoxoxoxoxoxo"},
        {"kick": "X.......X.......", "rim": "........X....... / ...x..x.X..x..x.", "hat": "x.x.x.x.x.x.x.x."},
        {
            "kick": "X.x.....X.x.....",
            "snare": "....X.......X...",
            "hat": "..O...O...O...O. / x.x.x.x.x.x.x.x.",
            "timbale": "..............!! / ................",
        },
    ),
    kits=(gm.STANDARD_KIT, gm.ROOM_KIT),
    fills=0.6,
    crash=0.35,
)
SKANKS = ("..x...x...x...x.", "..x...x...x...xx", "..x...xo..x...xo")
# On a slow count the off-beats are the second and the fourth beat.
SLOW_SKANKS = ("....x.......x...", "....x.x.....x.x.", "....xo......xo..")
BUBBLES = ("..x.x.x...x.x.x.", ".x.x.x.x.x.x.x.x", "..xx..xx..xx..xx")
SKANKERS = (gm.CLEAN_GUITAR, gm.CLEAN_GUITAR, gm.CLEAN_GUITAR, gm.ORGAN)
BASSES = (gm.FINGER_BASS, gm.FINGER_BASS, gm.FRETLESS)
BASS_LINES = (
    "1-..1-5-..8-7-5-",
    "..1-..1-5-3-1-..",
    "1--1--3-5-......",
    "1-1-..5-..5-3-1-",
    "....1-1-3-5-..5-",
    "1-3-5-..6-5-..3-",
    "1-----5-......7-",
)
TUNES = ("x-x-x---x-x-x---", "..x-x-x-....x---", "x--x--x-........", "x-x-x-x-........", "....x-x-x---x---")
SINGERS = (gm.ACCORDION, gm.ACCORDION, gm.OOHS, gm.TROMBONE, gm.TROMBONE, gm.ORGAN)

VARIANTS = (
    Variant(
        "one drop",
        weight=0.6,
        keys=GUITAR_KEYS,
        tempo=(116, 164),
        progressions=TWO_CHORDS,
        swing=(0.5, 0.62),
        drums=Drums(
            grooves=(
                {
                    "kick": "....X.......X...",
                    "rim": "....X.......X... / ....X..?....X..?",
                    "hat": "x.x.x.x.x.x.x.x. / x...x...x...x...",
                },
                {
                    "kick": "....X.......X...",
                    "snare": "....X.......X...",
                    "hat": "x.x.x.x.x.x.x.x.",
                    "shaker": "x.x.x.x.x.x.x.x. / ................",
                },
            ),
            kits=ONE_DROP.kits,
            fills=0.5,
            crash=0.3,
        ),
        parts=(
            Comp(SKANKERS, SKANKS, "close", 60, gate=0.45, level=-2.0),
            Comp(
                (gm.ORGAN, gm.PERCUSSIVE_ORGAN, gm.CLAVINET), BUBBLES, "close", 57, gate=0.6, presence=0.8, level=-8.0
            ),
            Bass(BASSES, BASS_LINES, low=28, level=4.0),
            Lead(SINGERS, TUNES, ("major pentatonic", "minor pentatonic"), rest=0.35, presence=0.85),
        ),
        loose=0.009,
    ),
    Variant(
        "roots",
        weight=2.5,
        keys=GUITAR_KEYS,
        tempo=(66, 88),
        progressions=TWO_CHORDS,
        swing=(0.5, 0.62),
        swing_unit=0.5,
        drums=ONE_DROP,
        parts=(
            Comp(SKANKERS, SKANKS, "close", 60, gate=0.5, level=-2.0),
            Comp(
                (gm.ORGAN, gm.PERCUSSIVE_ORGAN, gm.CLAVINET), BUBBLES, "close", 57, gate=0.6, presence=0.85, level=-7.0
            ),
            Bass(BASSES, BASS_LINES, low=28, level=4.0),
            Comp(
                (gm.BRASS, gm.TROMBONE, gm.TENOR_SAX),
                ("x-x-....x-x-....", "........x-x-x---", "x--x--x-........"),
                "close",
                60,
                presence=0.6,
            ),
            Lead(SINGERS, TUNES, ("minor pentatonic", "major pentatonic"), rest=0.35, presence=0.9),
        ),
        loose=0.009,
    ),
    Variant(
        "rockers and steppers",
        weight=1.0,
        keys=GUITAR_KEYS,
        tempo=(72, 96),
        progressions=TWO_CHORDS,
        swing=(0.5, 0.6),
        swing_unit=0.5,
        drums=ROCKERS,
        parts=(
            Comp(SKANKERS, SKANKS, "close", 60, gate=0.5, level=-2.0),
            Comp((gm.ORGAN, gm.SYNTH_STRINGS, gm.PIANO), (*BUBBLES, "x---------------"), presence=0.8, level=-8.0),
            Bass(BASSES, BASS_LINES, low=28, level=4.0),
            Lead(SINGERS, TUNES, ("minor pentatonic", "major pentatonic"), rest=0.35, presence=0.85),
        ),
        loose=0.007,
    ),
)
