"""Disco: four on the floor, open hats off the beat, octave basses, sixteenth guitars, string lines and brass stabs."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import FLAT_KEYS, Bass, Comp, Drums, Lead, Variant

VAMPS = (
    "i7 i7 IV7 IV7",
    "i7 bVII bVImaj7 V7",
    "ii7 V7 Imaj7 vi7",
    "i7 iv7 bVII7 bIIImaj7",
    "vi7 ii7 V7 Imaj7",
    "i7 i7 bVImaj7 bVII",
    "IVmaj7 iii7 ii7 Imaj7",
)
FLOOR = "X...X...X...X..."
FOUR_ON_THE_FLOOR = Drums(
    grooves=(
        {
            "kick": FLOOR,
            "snare": "....X.......X... / ....X..g.g..X...",
            "hat": "..O...O...O...O. / x.O.x.O.x.O.x.O. / xxOxxxOxxxOxxxOx",
        },
        {
            "kick": FLOOR,
            "clap": "....X.......X...",
            "hat": "xxOxxxOxxxOxxxOx / x.O.x.O.x.O.x.O.",
            "tambourine": "..x...x...x...x.",
        },
        {
            "kick": FLOOR,
            "snare": "....X.......X...",
            "hat": "xxxxxxxxxxxxxxxx",
            "open": "..x...x...x...x.",
            "conga": "..x..x.x..x..x.x",
        },
        {
            "kick": FLOOR,
            "snare": "....X.......X..o",
            "clap": "....x.......x...",
            "hat": "xxOxxxOxxxOxxxOx",
            "cowbell": "x...x...x...x... / ................",
        },
    ),
    kits=(gm.STANDARD_KIT, gm.ROOM_KIT, gm.ELECTRONIC_KIT),
    crash=0.5,
    level=3.0,
)
OCTAVES = (
    "1.8.1.8.1.8.1.8.",
    "1.811.811.811.81",
    "..8...8.1.8.1.8.",
    "1..81..81..81.8a",
    "1.8.1.8.5.8.7.8.",
    "1...1.8..8.15.7.",
)
BASSES = (gm.FINGER_BASS, gm.SLAP_BASS, gm.SYNTH_BASS, gm.PICK_BASS, gm.SYNTH_BASS_2)
SIXTEENTHS = ("x.xx..x.x.xx..x.", "..xx..xx..xx..xx", "x..x..x...x.x...", "xxoxxoxxoxxoxxox", "..x...xo..x...xo")
STABS = ("x..x......x.....", "......x...x.x...", "x.......x..x....", "..............x.", "x--x-.x-........")
TUNES = (
    "x--x--x-x---....",
    "..x.x.x-x-x-x---",
    "x---..x-x-x-x-..",
    "x.x.x-x---x-x---",
    "x-------x-x-x-x-",
    "xx.xx.x-....x-x-",
)

VARIANTS = (
    Variant(
        "orchestral disco",
        weight=2.5,
        keys=FLAT_KEYS,
        tempo=(108, 128),
        progressions=VAMPS,
        drums=FOUR_ON_THE_FLOOR,
        parts=(
            Comp((gm.CLEAN_GUITAR, gm.MUTED_GUITAR, gm.CLAVINET), SIXTEENTHS, "close", 60, gate=0.6, level=-7.0),
            Comp(
                (gm.E_PIANO, gm.PIANO, gm.BRIGHT_PIANO),
                ("x-----x---x-----", "x..x..x...x..x..", "..x...x...x...x."),
                "shell",
                level=-6.0,
            ),
            Bass(BASSES, OCTAVES, gate=0.75, level=-1.0),
            Comp((gm.BRASS, gm.SYNTH_BRASS, gm.TRUMPET), STABS, "close", 62, gate=0.8, presence=0.75, level=-5.0),
            Lead(
                (gm.STRINGS, gm.STRINGS, gm.SYNTH_STRINGS),
                TUNES,
                ("dorian",),
                low=69,
                high=90,
                presence=0.95,
                leap=0.2,
                level=-2.0,
            ),
        ),
        loose=0.004,
    ),
    Variant(
        "funky disco",
        weight=1.2,
        keys=FLAT_KEYS,
        tempo=(100, 120),
        progressions=VAMPS[:2] + VAMPS[3:6],
        drums=FOUR_ON_THE_FLOOR,
        parts=(
            Comp((gm.CLEAN_GUITAR, gm.CLAVINET, gm.MUTED_GUITAR), SIXTEENTHS, "shell", 62, gate=0.5, level=-4.0),
            Comp(
                (gm.ORGAN, gm.E_PIANO, gm.SYNTH_STRINGS),
                ("x---------------", "..x...x...x...x."),
                presence=0.85,
                level=-8.0,
            ),
            Bass(
                (gm.SLAP_BASS, gm.SLAP_BASS_2, gm.FINGER_BASS, gm.SYNTH_BASS),
                ("1..1..8.7.8.5.7.", "1.8...1.8..11.7a", "1..81..8..1.5.78"),
                gate=0.6,
                level=0.0,
            ),
            Lead(
                (gm.STRINGS, gm.BRASS, gm.BRASS, gm.SYNTH_BRASS, gm.ALTO_SAX),
                TUNES,
                ("dorian", "minor pentatonic"),
                low=62,
                high=82,
                rest=0.35,
                presence=0.9,
            ),
        ),
        loose=0.005,
    ),
    Variant(
        "electronic disco",
        weight=1.0,
        keys=FLAT_KEYS,
        tempo=(114, 134),
        progressions=("i i bVI bVII", "i bVII bVI bVII", "i i iv v", "vi IV I V"),
        drums=FOUR_ON_THE_FLOOR,
        parts=(
            Bass(
                (gm.SYNTH_BASS, gm.SYNTH_BASS_2, gm.SAW_LEAD),
                ("1181118111811181", "1.8.1.8.1.8.1.8.", "..11..11..11..11", "1118111811181157"),
                gate=0.6,
                level=-1.0,
            ),
            Comp(
                (gm.POLYSYNTH, gm.SYNTH_STRINGS, gm.WARM_PAD, gm.SYNTH_STRINGS_2),
                ("x---------------", "x-------x-------"),
                level=-8.0,
                gate=1.0,
            ),
            Comp(
                (gm.SAW_LEAD, gm.SQUARE_LEAD, gm.E_PIANO_2, gm.PIANO),
                ("0120120120120121", "..x...x...x...x.", "012.012.012.0123"),
                "close",
                62,
                gate=0.5,
                presence=0.85,
            ),
            Lead(
                (gm.SAW_LEAD, gm.STRINGS, gm.STRINGS, gm.SYNTH_VOX), TUNES, ("minor", "minor pentatonic"), presence=0.9
            ),
        ),
        loose=0.002,
    ),
)
