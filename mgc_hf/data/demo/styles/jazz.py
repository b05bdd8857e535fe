"""Jazz: swung rides, walking basses, comping on thirds and sevenths, long improvised lines, bossa novas, ballads."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import FLAT_KEYS, Bass, Comp, Drums, Lead, Variant

CHANGES = (
    "ii7 V7 Imaj7 VI7 ii7 V7 Imaj7 Imaj7",
    "Imaj7,VI7 ii7,V7 iii7,VI7 ii7,V7 Imaj7,I7 IVmaj7,bVII7 Imaj7,V7 I6",
    "Imaj7 Imaj7 ii7 V7 iii7 VI7 ii7 V7",
    "vi7 ii7 V7 Imaj7 IVmaj7 viih7 III7 vi7",
    "Imaj7 I7 IVmaj7 iv7 iii7 VI7 ii7 V7",
)
MINOR_CHANGES = ("i7 i7 iih7 V7 i7 iv7 iih7 V7", "iih7 V7 i7 i7 iv7 bVII7 bIIImaj7 V7")
BLUES_CHANGES = ("I7 IV7 I7 I7 IV7 #ivo7 I7 VI7 ii7 V7 I7,VI7 ii7,V7",)
MODES = ("i9 i9 i9 i9 i9 i9 i9 i9", "i9 i9 i9 i9 bii9 bii9 i9 i9", "i7 IV9 i7 IV9")

SWING = Drums(
    grooves=(
        {
            "ride": "x.xxx.xx / x.x.x.xx / x.xxx.x.",
            "pedal": "..x...x.",
            "kick": "o...o... / ?..!..?.",
            "snare": "...?..!. / .!....?.",
        },
        {"hat": "x.xxx.xx / x.x.x.xx", "rim": "......x. / ..x...x.", "kick": "o...o..."},
        {"ride": "x.xxx.xx", "pedal": "..x...x.", "snare2": "g.g.g.g. / ..!?.!.?"},
    ),
    kits=(gm.JAZZ_KIT, gm.BRUSH_KIT),
    fills=0.3,
    crash=0.15,
    level=-4.0,
)
BOSSA = Drums(
    grooves=(
        {
            "kick": "X..xX..xX..xX..x",
            "rim": "x..x..x...x..x.. / ..x..x..x..x..x.",
            "hat": "xxxxxxxxxxxxxxxx / x.x.x.x.x.x.x.x.",
        },
        {
            "kick": "x..xx..xx..xx..x",
            "claves": "x..x..x...x..x..",
            "shaker": "xoxoxoxoxoxoxoxo",
            "triangle": "?...?...?...?...",
        },
    ),
    kits=(gm.JAZZ_KIT, gm.BRUSH_KIT),
    fills=0.15,
    crash=0.05,
    level=-4.0,
)
BASSES = (gm.ACOUSTIC_BASS, gm.ACOUSTIC_BASS, gm.ACOUSTIC_BASS, gm.FRETLESS)
CHORDERS = (gm.PIANO, gm.PIANO, gm.PIANO, gm.JAZZ_GUITAR, gm.VIBRAPHONE)
SOLOISTS = (
    gm.TENOR_SAX,
    gm.TENOR_SAX,
    gm.ALTO_SAX,
    gm.TRUMPET,
    gm.MUTE_TRUMPET,
    gm.PIANO,
    gm.VIBRAPHONE,
    gm.CLARINET,
)
COMPING = ("x..x....", "...x..x.", ".x....x-", "x-.....x", "?..x.?..", "..x..x.!", "x--x-.?.")
LINES = ("xxxxxxxx", "x.xxxxx-", ".xxxxx.x", "x-xxx-..", "..xxxxxx", "x.x-..x-", "...x-xx-", "x-----xx")
SCALES = ("major", "mixolydian")

VARIANTS = (
    Variant(
        "swing",
        weight=3.5,
        keys=FLAT_KEYS,
        tempo=(118, 216),
        progressions=CHANGES + BLUES_CHANGES,
        swing=(0.58, 0.68),
        drums=SWING,
        parts=(
            Comp(CHORDERS, COMPING, "shell", 57, level=-5.0),
            Bass(BASSES, ("w.w.w.w.", "w.w.w.w.", "1---5---"), low=29, level=-1.0),
            Lead(
                SOLOISTS,
                LINES,
                SCALES,
                low=58,
                high=84,
                rest=0.2,
                repeat=0.35,
                leap=0.2,
                presence=0.95,
                expressive=True,
            ),
        ),
        loose=0.012,
        dynamics=2.0,
    ),
    Variant(
        "ballad",
        weight=1,
        keys=FLAT_KEYS,
        tempo=(58, 84),
        progressions=CHANGES + MINOR_CHANGES,
        swing=(0.55, 0.66),
        drums=Drums(
            (
                {"ride": "x.x.x.x. / x.xxx.xx", "pedal": "..x...x.", "snare": "g.g.g.g."},
                {"hat": "..x...x.", "snare": "ggggggggg.g.g.g."},
            ),
            kits=(gm.BRUSH_KIT, gm.JAZZ_KIT),
            fills=0.1,
            crash=0.1,
            level=-7.0,
            presence=0.8,
        ),
        parts=(
            Comp(CHORDERS, ("x-------", "x---x---", "x--x----", "..x-..x-"), "shell", 57, gate=1.0, level=-4.0),
            Bass(BASSES, ("1---5---", "1-----a-", "w.w.w.w."), low=29, gate=1.0),
            Lead(
                SOLOISTS,
                ("x---x-x-", "x-----xx", "..xxx---", "x-xxx---", "xxxxx---"),
                SCALES[:1],
                low=58,
                high=82,
                repeat=0.4,
                leap=0.2,
                presence=0.95,
                expressive=True,
            ),
        ),
        loose=0.016,
        rubato=0.02,
        dynamics=3.0,
    ),
    Variant(
        "bossa nova",
        weight=0.8,
        keys=FLAT_KEYS,
        tempo=(58, 80),
        progressions=CHANGES[2:] + MINOR_CHANGES,
        drums=BOSSA,
        parts=(
            Comp(
                (gm.NYLON, gm.JAZZ_GUITAR, gm.PIANO),
                ("x..x..x...x..x..", "x-.x-.x-..x-.x..", "..x-.x..x-.x..x."),
                "shell",
                55,
                gate=0.8,
                level=-4.0,
            ),
            Bass(BASSES, ("1--15--51--15--5", "1--d1---1--d1---"), low=29),
            Lead(
                (gm.FLUTE, gm.TENOR_SAX, gm.PIANO, gm.VIBRAPHONE, gm.OOHS, gm.JAZZ_GUITAR),
                ("x-x-x--x--x-x---", "..x-x-x---x-x-x-", "x--x--x---------", "x-xxx-x-x---...."),
                SCALES[:1],
                low=60,
                high=82,
                repeat=0.5,
                presence=0.9,
            ),
        ),
        loose=0.009,
    ),
    Variant(
        "modal and waltz",
        weight=0.8,
        keys=FLAT_KEYS,
        tempo=(120, 184),
        progressions=MODES + MINOR_CHANGES[:1],
        meter=3,
        swing=(0.56, 0.66),
        drums=Drums(
            ({"ride": "x.xxx. / x.x.xx", "pedal": "..x...", "kick": "x....? / o.....", "snare": "...?.! / ..?..."},),
            kits=(gm.JAZZ_KIT, gm.BRUSH_KIT),
            fills=0.2,
            crash=0.15,
            level=-3.0,
        ),
        parts=(
            Comp(CHORDERS, ("x--x..", "..x-..", "...x-.", "x-...x"), "shell", 57, level=-4.0),
            Bass(BASSES, ("w.w.w.", "1---5-"), low=29),
            Lead(
                SOLOISTS,
                ("xxxxxx", "x-xxx-", "x---xx", "..xxxx", "x-x-.."),
                ("dorian",),
                low=58,
                high=84,
                repeat=0.4,
                leap=0.2,
                presence=0.95,
                expressive=True,
            ),
        ),
        loose=0.012,
        dynamics=2.5,
    ),
    Variant(
        "solo piano or guitar",
        weight=0.5,
        keys=FLAT_KEYS,
        tempo=(92, 168),
        progressions=CHANGES[:3] + BLUES_CHANGES,
        swing=(0.58, 0.67),
        parts=(
            Comp((gm.PIANO, gm.PIANO, gm.JAZZ_GUITAR), ("b.x.f.x.", "b.x.b.x.", "b-.xf-.x"), "shell", 57, level=-2.0),
            Lead(
                (gm.PIANO, gm.PIANO, gm.CLARINET, gm.JAZZ_GUITAR),
                LINES,
                SCALES,
                low=62,
                high=88,
                repeat=0.4,
                leap=0.2,
                presence=1.0,
            ),
        ),
        loose=0.014,
        dynamics=2.5,
        rubato=0.02,
    ),
)
