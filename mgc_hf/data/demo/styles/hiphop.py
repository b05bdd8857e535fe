"""Hip-hop: loops of one or two chords, boom-bap drums with lazy sixteenths, heavy sparse basses, scratches."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import FLAT_KEYS, Bass, Comp, Drums, Lead, Variant

LOOPS = (
    "i7 i7 iv7 iv7",
    "i7 bVImaj7",
    "ii7 V7",
    "i7 i7 i7 V7",
    "i7 iv7",
    "Imaj7 vi7",
    "i bVI iv V7",
    "i7",
    "bVImaj7 v7 i7 i7",
)
BOOM_BAP = Drums(
    grooves=(
        {
            "kick": "X..x..x......... / X.x....x..x..... / X......x.xx.....",
            "snare": "....X.......X...",
            "hat": "x.x.x.x.x.x.x.x. / x.x.x.xxx.x.x.x.",
        },
        {
            "kick": "X.........x..... / X..x......xx....",
            "snare": "....X..g.g..X... / ....X.......X..g",
            "hat": "x.o.x.o.x.o.x.O. / xoxoxoxoxoxoxoxo",
        },
        {
            "kick": "X.x.......x..x.. / X.......x.x.....",
            "clap": "....X.......X...",
            "hat": "x.x.x.x.x.x.x.x.",
            "scratch": "......!.......?. / ................",
        },
    ),
    kits=(gm.TR808_KIT, gm.TR808_KIT, gm.ELECTRONIC_KIT, gm.ROOM_KIT),
    fills=0.15,
    crash=0.15,
    level=4.0,
)
HALF_TIME = Drums(
    grooves=(
        {
            "kick": "X.....x...x..... / X..x......x.....",
            "clap": "........X.......",
            "hat": "x.x.x.xxx.x.xxxx / xxxxxxxx x.x.xxxx",
        },
        {
            "kick": "X......x..x.....",
            "snare": "........X.......",
            "hat": "x.x.x.x.xxx.x.x. | x.x.xxxxx.x.x.x.",
            "rim": "......?.....?...",
        },
    ),
    kits=(gm.TR808_KIT, gm.ELECTRONIC_KIT),
    fills=0.1,
    crash=0.15,
    level=4.0,
)
BASSES = (gm.SYNTH_BASS, gm.SYNTH_BASS, gm.SYNTH_BASS_2, gm.FRETLESS, gm.ACOUSTIC_BASS)
SPARSE = ("1--...1-........", "1-----..1-1-....", "1--1--....1-..a-", "1-......8-7-5-..", "1----------...5-")
HOOKS = ("x..x..x.........", "x.x...x-x-......", "..x.x.x-........", "x---..x-..x-....", "x..x..x.x..x..x.")

VARIANTS = (
    Variant(
        "boom bap",
        weight=2.5,
        keys=FLAT_KEYS,
        tempo=(82, 102),
        progressions=LOOPS,
        swing=(0.52, 0.62),
        swing_unit=0.5,
        drums=BOOM_BAP,
        parts=(
            Comp(
                (gm.E_PIANO, gm.E_PIANO, gm.PIANO, gm.VIBRAPHONE, gm.JAZZ_GUITAR, gm.STRINGS),
                ("x-----x---------", "x--x--x-..x-....", "..x---..x-------", "0-1-2-1-3-2-....", "x-......x--x----"),
                "shell",
                level=-3.0,
            ),
            Comp(
                (gm.STRINGS, gm.BRASS, gm.FLUTE, gm.CHOIR),
                ("x---------------", "........x-x-....", "x..x............"),
                presence=0.7,
            ),
            Bass(BASSES, SPARSE, low=29, level=2.0),
            Lead(
                (gm.FLUTE, gm.TRUMPET, gm.MUTE_TRUMPET, gm.CELESTA, gm.VIBRAPHONE, gm.SOLO_VOX),
                HOOKS,
                ("minor pentatonic", "dorian"),
                rest=0.4,
                repeat=0.95,
                presence=0.8,
            ),
        ),
        loose=0.006,
    ),
    Variant(
        "half time",
        weight=1,
        keys=FLAT_KEYS,
        tempo=(126, 152),
        progressions=("i i bVI bVI", "i bVI", "i i iv V", "i bII", "i"),
        drums=HALF_TIME,
        parts=(
            Comp(
                (gm.MUSIC_BOX, gm.PIANO, gm.CELESTA, gm.HARP, gm.E_PIANO_2, gm.NYLON),
                ("0---2---1---2---", "0-..1-..2-..1-..", "x-------........", "0-2-1-2-3-2-1-2-"),
                "close",
                62,
                gate=1.5,
                level=-3.0,
            ),
            Comp(
                (gm.WARM_PAD, gm.CHOIR_PAD, gm.SLOW_STRINGS),
                ("x---------------",),
                presence=0.85,
                level=-9.0,
                gate=1.0,
            ),
            Bass(
                (gm.SYNTH_BASS, gm.FRETLESS, gm.SYNTH_BASS_2),
                ("1-----1---1-....", "1----------...1-", "1--1------8-----"),
                low=26,
                level=2.0,
            ),
            Lead(
                (gm.FLUTE, gm.PAN_FLUTE, gm.SQUARE_LEAD, gm.BRASS, gm.SYNTH_VOX),
                HOOKS,
                ("minor", "harmonic minor"),
                rest=0.4,
                repeat=0.95,
                presence=0.75,
            ),
        ),
        loose=0.003,
    ),
    Variant(
        "synth funk",
        weight=1,
        keys=FLAT_KEYS,
        tempo=(88, 106),
        progressions=LOOPS,
        swing=(0.5, 0.58),
        swing_unit=0.5,
        drums=BOOM_BAP,
        parts=(
            Comp(
                (gm.CLAVINET, gm.E_PIANO, gm.CLEAN_GUITAR),
                ("x..x..x.....x...", "..x...x...x...x.", "x.....x..x......"),
                "shell",
                60,
                gate=0.6,
                level=-4.0,
            ),
            Comp(
                (gm.SYNTH_STRINGS, gm.POLYSYNTH, gm.ORGAN), ("x---------------",), presence=0.8, level=-8.0, gate=1.0
            ),
            Bass(
                (gm.SYNTH_BASS, gm.SYNTH_BASS_2, gm.SLAP_BASS),
                ("1..1....8.7.5...", "1.....1..1.75.a.", "1--...8...7.5.7."),
                low=29,
                level=1.0,
            ),
            Lead(
                (gm.SQUARE_LEAD, gm.SAW_LEAD, gm.CALLIOPE, gm.OOHS),
                (*HOOKS, "x-----x-x-------"),
                ("minor", "minor pentatonic"),
                low=72,
                high=91,
                rest=0.35,
                repeat=0.9,
                expressive=True,
            ),
        ),
        loose=0.004,
    ),
)
