"""Pop: four-chord loops, hooks that come back, steady backbeats, strummed or synthetic accompaniments, ballads."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import Bass, Comp, Drums, Lead, Variant

FOUR_CHORDS = (
    "I V vi IV",
    "vi IV I V",
    "I vi IV V",
    "IV I V vi",
    "I IV vi V",
    "Iadd9 V vi7 IVadd9",
    "I iii IV V",
    "I V ii IV",
)
BACKBEAT = Drums(
    grooves=(
        {
            "kick": "X.......X.x..... / X..x..x.X..x.... / X.....x.X.......",
            "snare": "....X.......X...",
            "hat": "x.x.x.x.x.x.x.x. / xoxoxoxoxoxoxoxo",
        },
        {
            "kick": "X.....x.x....... / X.......x..x....",
            "clap": "....X.......X...",
            "hat": "x.x.x.x.x.x.x.x.",
            "shaker": "xoxoxoxoxoxoxoxo / ................",
        },
        {
            "kick": "X...x...X...x...",
            "snare": "....X.......X...",
            "hat": "x.x.x.x.x.x.x.O.",
            "tambourine": "....x.......x... / x.x.x.x.x.x.x.x.",
        },
    ),
    kits=(gm.ELECTRONIC_KIT, gm.ELECTRONIC_KIT, gm.STANDARD_KIT),
)
DANCE = Drums(
    grooves=(
        {"kick": "X...X...X...X...", "clap": "....X.......X...", "hat": "..x...x...x...x. / x.x.x.x.x.x.x.x."},
        {
            "kick": "X...X...X...X...",
            "snare": "....X.......X...",
            "shaker": "xoxoxoxoxoxoxoxo",
            "hat": "..O...O...O...O. / ................",
        },
        {"kick": "X..x..x.X..x..x.", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
    ),
    kits=(gm.ELECTRONIC_KIT, gm.TR808_KIT, gm.STANDARD_KIT),
    fills=0.4,
)
SINGERS = (gm.OOHS, gm.OOHS, gm.OOHS, gm.SOLO_VOX, gm.SYNTH_VOX, gm.SYNTH_VOX, gm.SQUARE_LEAD)
HOOKS = (
    "x-x-x-x---x-x---",
    "..x-x-x-x-x-x---",
    "x--x--x-x-----..",
    "x-x---x-x---....",
    "x---x--x--x-x---",
    "....x-x-x-x-x-x-",
)
BASSES = (gm.FINGER_BASS, gm.SYNTH_BASS, gm.SYNTH_BASS_2)

VARIANTS = (
    Variant(
        "band pop",
        weight=2.5,
        tempo=(84, 128),
        progressions=FOUR_CHORDS,
        drums=BACKBEAT,
        parts=(
            Comp(
                (gm.PIANO, gm.CLEAN_GUITAR, gm.STEEL, gm.E_PIANO),
                ("x.x.x.x.x.x.x.x.", "x-----x-----x---", "x---x-x---x-x---", "D...D.DU.UDUD.DU"),
                level=-4.0,
            ),
            Comp(
                (gm.SYNTH_STRINGS, gm.WARM_PAD, gm.POLYSYNTH),
                ("x---------------", "x-------x-------"),
                presence=0.85,
                level=-8.0,
                gate=1.0,
            ),
            Bass(BASSES, ("1.1.1.1.1.1.1.1.", "1-----1-1-----1-", "1--1--1-1--1--a-", "1-------1---5---")),
            Lead(
                SINGERS,
                HOOKS,
                ("major pentatonic", "major"),
                rest=0.2,
                repeat=0.85,
                leap=0.08,
                presence=1.0,
                level=-1.0,
                expressive=True,
            ),
        ),
    ),
    Variant(
        "dance pop",
        weight=0.8,
        tempo=(112, 132),
        progressions=FOUR_CHORDS,
        drums=DANCE,
        parts=(
            Comp(
                (gm.SAW_LEAD, gm.POLYSYNTH, gm.PIANO, gm.SYNTH_BRASS),
                ("x..x..x.x..x..x.", "..x...x...x...x.", "x.x.x..x.x.x.x.."),
                gate=0.6,
                level=-5.0,
            ),
            Comp(
                (gm.SYNTH_STRINGS, gm.WARM_PAD, gm.HALO_PAD), ("x---------------",), presence=0.8, level=-9.0, gate=1.0
            ),
            Bass(
                (gm.SYNTH_BASS, gm.SYNTH_BASS_2, gm.FINGER_BASS),
                ("..1...1...1...1.", "1.1.1.1.1.1.1.1.", "1..1..1.1..1..1.", "1.8.1.8.1.8.1.8."),
                gate=0.7,
            ),
            Lead(
                SINGERS,
                HOOKS,
                ("major pentatonic", "major"),
                rest=0.2,
                repeat=0.85,
                leap=0.08,
                presence=1.0,
                level=-1.0,
            ),
        ),
        loose=0.003,
    ),
    Variant(
        "ballad",
        weight=0.8,
        tempo=(60, 84),
        progressions=FOUR_CHORDS,
        drums=Drums(
            BACKBEAT.grooves[:2], kits=(gm.STANDARD_KIT, gm.ROOM_KIT, gm.ELECTRONIC_KIT), level=-3.0, presence=0.75
        ),
        parts=(
            Comp(
                (gm.PIANO, gm.E_PIANO, gm.STEEL, gm.NYLON),
                ("0-1-2-3-2-1-2-1-", "x---x---x---x---", "0-2-1-2-3-2-1-2-", "b-x-x-x-b-x-x-x-"),
                "arpeggio",
                52,
                gate=1.6,
                level=-2.0,
            ),
            Comp(
                (gm.STRINGS, gm.SLOW_STRINGS, gm.WARM_PAD, gm.CHOIR),
                ("x---------------",),
                presence=0.9,
                level=-7.0,
                gate=1.0,
            ),
            Bass(BASSES, ("1---------------", "1-----1-5-------"), gate=1.0, presence=0.9),
            Lead(
                SINGERS,
                HOOKS,
                ("major pentatonic", "major"),
                rest=0.15,
                repeat=0.75,
                leap=0.08,
                presence=1.0,
                level=-1.0,
                expressive=True,
            ),
        ),
        dynamics=2.5,
        loose=0.008,
    ),
    Variant(
        "acoustic pop",
        weight=0.6,
        tempo=(88, 124),
        progressions=FOUR_CHORDS,
        drums=Drums(BACKBEAT.grooves[1:], kits=(gm.STANDARD_KIT, gm.ROOM_KIT), level=-2.0, presence=0.8),
        parts=(
            Comp(
                (gm.STEEL, gm.NYLON, gm.CLEAN_GUITAR),
                ("D...D.DU.UDUD.DU", "D.DUD.DUD.DUD.DU", "D..UDU.UD..UDU.U"),
                "guitar",
                43,
                level=-3.0,
            ),
            Comp(
                (gm.PIANO, gm.STRINGS, gm.VIBRAPHONE),
                ("x-------x-------", "....x-......x-..", "0-2-1-2-0-2-1-2-"),
                presence=0.75,
            ),
            Bass(BASSES, ("1-----1-1-----1-", "1-------5-------", "1.1.1.1.1.1.1.1.")),
            Lead(
                SINGERS,
                HOOKS,
                ("major pentatonic", "major"),
                rest=0.25,
                repeat=0.85,
                leap=0.08,
                presence=1.0,
                level=-1.0,
                expressive=True,
            ),
        ),
        loose=0.008,
    ),
)
