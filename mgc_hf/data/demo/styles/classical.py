"""Classical: functional harmony, broken chords, song-like lines, swelling phrases and a tempo that breathes; no drum kit."""

from .. import gm
from ..spec import Bass, Comp, Lead, Variant


MAJOR = (
    "I V7 I IV I ii V7 I",
    "I vi ii V7 I IV V7,V7 I",
    "I IV viio iii vi ii V7 I",
    "I I ii V7 V7 V7 I I",
    "I,V7 vi,iii IV,I ii,V7 I,V7 vi,ii V7 I",
)
MINOR = (
    "i iv V7 i i iv V7 i",
    "i iv bVII bIII bVI iio V7 i",
    "i V7 i iv bVI iio V7 i",
    "i i iv i V7 i iio,V7 i",
)
SONG = ("x---x-x-x---x---", "x-----x-x---x---", "x---x---x-x-x-x-", "x-x-x-x-x-------", "x-------x---x-x-", "x-----xxx-------")
RUNNING = ("x.x.x.x.xxxxx---", "xxxxxxxxx---x---", "x---xxxxx---xxxx", "x-x-x-x-xxxxxxxx", "x---x---xxxxx---")
SLOW = ("x-------x---x---", "x---------x-x---", "x---x---x-------", "x---------------")

VARIANTS = (
    Variant(
        "sonata",
        weight=1.5,
        tempo=(92, 150),
        progressions=MAJOR + MINOR[:1],
        parts=(
            Comp(
                (gm.PIANO, gm.PIANO, gm.PIANO, gm.HARPSICHORD), ("0.2.1.2.0.2.1.2.", "0212021202120212", "0.1.2.1.0.1.2.1."),
                "arpeggio", 48, gate=1.1, level=-4.0,
            ),
            Lead(
                (gm.PIANO, gm.BRIGHT_PIANO, gm.FLUTE, gm.VIOLIN), SONG + RUNNING, ("major",), low=67, high=91, rest=0.05,
                repeat=0.75, presence=1.0, level=0.0,
            ),
        ),
        rubato=0.05,
        dynamics=4.0,
        loose=0.006,
    ),
    Variant(
        "prelude",
        weight=1.2,
        tempo=(60, 104),
        progressions=MAJOR + MINOR,
        parts=(
            Comp(
                (gm.PIANO, gm.HARPSICHORD, gm.NYLON, gm.HARP),
                ("0123432101234321", "0121012101210121", "0123012301230123", "0213243502132435"), "arpeggio", 50, gate=2.5,
                level=0.0,
            ),
            Bass((gm.PIANO, gm.CELLO, gm.NYLON), ("1---------------", "1-------5-------"), low=36, gate=1.0, presence=0.8),
            Lead(
                (gm.PIANO, gm.OBOE, gm.VIOLIN, gm.CELLO), SLOW, ("major",), low=65, high=84, rest=0.1, presence=0.5, level=-2.0,
            ),
        ),
        rubato=0.08,
        dynamics=4.0,
        loose=0.008,
    ),
    Variant(
        "strings",
        weight=1.5,
        tempo=(56, 120),
        progressions=MAJOR + MINOR,
        parts=(
            Comp(
                (gm.STRINGS, gm.SLOW_STRINGS, gm.VIOLA), ("x---------------", "x-------x-------", "x-x-x-x-x-x-x-x-", ".-x-x-x-.-x-x-x-"),
                "close", 55, gate=1.0, level=-4.0,
            ),
            Bass((gm.CELLO, gm.CONTRABASS, gm.PIZZICATO), ("1-------5-------", "1---3---5---3---", "1-..5-..1-..5-.."), low=36, gate=1.0),
            Lead(
                (gm.VIOLIN, gm.STRINGS, gm.CELLO), SONG + SLOW, ("major",), low=64, high=88, rest=0.05, presence=1.0, expressive=True,
            ),
        ),
        rubato=0.06,
        dynamics=5.0,
        loose=0.014,
    ),
    Variant(
        "orchestra",
        weight=1.2,
        tempo=(84, 144),
        progressions=MAJOR + MINOR,
        parts=(
            Comp(
                (gm.STRINGS, gm.TREMOLO), ("x---x---x---x---", "x-xxx-xxx-xxx-xx", "x---------------", "x-------x-x-x-x-"), "close", 57,
                gate=0.95, level=-2.0,
            ),
            Comp(
                (gm.HORN, gm.BRASS, gm.TROMBONE, gm.BASSOON), ("x---------------", "x-......x-x-x---", "........x---x---"), "close", 52,
                level=-6.0, presence=0.7,
            ),
            Bass((gm.CONTRABASS, gm.CELLO, gm.BASSOON), ("1---1---5---5---", "1-------5-------", "1-..1-..1-..5-.."), low=33, gate=0.9),
            Bass((gm.TIMPANI,), ("1...........d.d.", "1...............", "1.1.........d..."), low=41, level=-5.0, presence=0.4),
            Lead(
                (gm.VIOLIN, gm.FLUTE, gm.OBOE, gm.CLARINET, gm.TRUMPET, gm.STRINGS), SONG + RUNNING, ("major",), low=65, high=90,
                rest=0.1, presence=0.9,
            ),
        ),
        rubato=0.04,
        dynamics=5.0,
        loose=0.014,
    ),
    Variant(
        "minuet or waltz",
        weight=1.0,
        tempo=(96, 168),
        progressions=MAJOR + MINOR[:1],
        meter=3,
        parts=(
            Comp((gm.PIANO, gm.HARPSICHORD, gm.STRINGS, gm.NYLON), ("b.x.x.", "b-..x.", "b.x.x. | f.x.x."), "close", 57, level=-2.0),
            Lead(
                (gm.PIANO, gm.VIOLIN, gm.FLUTE, gm.CLARINET), ("x---x-", "x-x-x-", "x-----", "x-xxx-", "xxxxx-", "x---xx"), ("major",),
                low=67, high=90, rest=0.05, repeat=0.75, presence=1.0,
            ),
        ),
        rubato=0.07,
        dynamics=3.5,
        loose=0.009,
    ),
    Variant(
        "chorale",
        weight=0.6,
        tempo=(52, 84),
        progressions=MAJOR[-1:] + MINOR,
        parts=(
            Comp((gm.CHURCH_ORGAN, gm.CHOIR, gm.REED_ORGAN, gm.STRINGS), ("x---x---x---x---", "x-------x-------"), "close", 57, gate=1.0, level=-1.0),
            Bass((gm.CHURCH_ORGAN, gm.CELLO), ("1---1---1---5---", "1-------1-------", "1---3---5---a---"), low=36, gate=1.0),
            Lead((gm.CHURCH_ORGAN, gm.OOHS, gm.OBOE, gm.TRUMPET), SLOW + SONG[:2], ("major",), low=65, high=84, rest=0.05, presence=0.8),
        ),
        rubato=0.05,
        dynamics=2.5,
        loose=0.01,
    ),
)
