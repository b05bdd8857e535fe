"""Country: boom-chick with an alternating bass, train beats, banjo rolls, fiddles, twang on the major pentatonic."""

from mgc_hf.data.demo import gm
from mgc_hf.data.demo.spec import GUITAR_KEYS, Bass, Comp, Drums, Lead, Variant

THREE_CHORDS = (
    "I I IV I I I V V I I7 IV IV I V I I",
    "I IV I V I IV V I",
    "I I V V V V I I",
    "I IV V I IV I V I",
    "I V IV I I V I I",
)
FOUR_CHORDS = ("I V vi IV I V IV I", "I vi IV V I vi IV V", "I iii IV V vi IV V I")
BASSES = (gm.ACOUSTIC_BASS, gm.FINGER_BASS)
TWANGERS = (gm.FIDDLE, gm.FIDDLE, gm.FIDDLE, gm.STEEL, gm.BANJO, gm.CLEAN_GUITAR, gm.HARMONICA, gm.HONKY_TONK)
LICKS = (
    "x.xxx.x.x-..x-..",
    "x-x-x-x-x---....",
    "xxx.x-x-x---....",
    "..x-x-x-x-x-x---",
    "x---x-x-x-x-x---",
    "x-..x-x-x-......",
)
PICKING = ("xxxxxxxxx.xxxx..", "x.xxx.xxx.xxx.x.", "xxxxxxxxxxxxxxxx")
ROLLS = ("0213021302130213", "2013201320132013", "0123021301230213")

TRAIN = Drums(
    grooves=(
        {"snare": "gggXgggXgggXgggX / ggXgggXgggXgggXg / xggXxggXxggXxggX", "kick": "x...x...x...x..."},
        {"snare": "g.gXg.gXg.gXg.gX", "kick": "x...x...x...x...", "hat": "..x...x...x...x."},
    ),
    kits=(gm.BRUSH_KIT, gm.BRUSH_KIT, gm.STANDARD_KIT),
    crash=0.2,
    level=-2.0,
)
TWO_STEP = Drums(
    grooves=(
        {"kick": "X.......X....... / X.......X.x.....", "snare": "....X.......X...", "hat": "x.x.x.x.x.x.x.x."},
        {"kick": "X.......X.......", "rim": "....X.......X...", "hat": "x.o.x.o.x.o.x.o."},
    ),
    kits=(gm.STANDARD_KIT, gm.ROOM_KIT, gm.BRUSH_KIT),
    crash=0.3,
)

VARIANTS = (
    Variant(
        "train beat",
        weight=2.5,
        keys=GUITAR_KEYS,
        tempo=(96, 132),
        progressions=THREE_CHORDS,
        drums=TRAIN,
        parts=(
            Comp(
                (gm.STEEL, gm.STEEL, gm.STEEL, gm.CLEAN_GUITAR),
                ("..D...DU..D...DU", "..D...D...D...D.", "..DU..DU..DU..DU"),
                "guitar",
                43,
                level=-4.0,
            ),
            Comp((gm.BANJO, gm.PIANO, gm.STEEL), ROLLS, "close", 60, presence=0.75, level=-6.0),
            Bass(BASSES, ("1---d---1---d---", "1---5---1---5---", "1---d---1---a---")),
            Lead(TWANGERS, LICKS + PICKING, ("major pentatonic", "major blues"), presence=0.95, expressive=True),
        ),
        loose=0.008,
    ),
    Variant(
        "honky-tonk shuffle",
        weight=1,
        keys=GUITAR_KEYS,
        tempo=(96, 138),
        progressions=THREE_CHORDS + FOUR_CHORDS[:1],
        swing=(0.6, 0.68),
        drums=TWO_STEP,
        parts=(
            Comp(
                (gm.HONKY_TONK, gm.STEEL, gm.STEEL, gm.PIANO),
                ("..x...x...x...x.", "....x.......x...", "..x.x.x...x.x.x."),
                level=-5.0,
            ),
            Comp((gm.STEEL, gm.NYLON), ("....D.......D...", "..D...DU..D...DU"), "guitar", 43, presence=0.8),
            Bass(BASSES, ("1-------d-------", "1---d---1---d---", "1---3---5---6---")),
            Lead(TWANGERS, LICKS, ("major pentatonic", "major blues"), presence=0.95, expressive=True),
        ),
        loose=0.009,
    ),
    Variant(
        "country waltz",
        weight=0.6,
        keys=GUITAR_KEYS,
        tempo=(84, 132),
        progressions=THREE_CHORDS,
        meter=3,
        drums=Drums(
            (
                {"kick": "X.....", "snare": "..x.x. / ....x.", "hat": "x.x.x. / xoxoxo"},
                {"kick": "X.....", "rim": "..x.x."},
            ),
            kits=(gm.BRUSH_KIT, gm.STANDARD_KIT),
            level=-3.0,
            crash=0.2,
            presence=0.85,
        ),
        parts=(
            Comp((gm.STEEL, gm.STEEL, gm.PIANO), ("..D.D.", "..D.DU", "..x.x."), "guitar", 43, level=-4.0),
            Bass(BASSES, ("1-----", "1----- | d-----")),
            Lead(
                TWANGERS,
                ("x-x-x-", "x---x-", "x-----", "x-xxx-", "..x-x-"),
                ("major", "major pentatonic"),
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.01,
        dynamics=1.5,
    ),
    Variant(
        "bluegrass",
        weight=0.8,
        keys=GUITAR_KEYS,
        tempo=(116, 160),
        progressions=THREE_CHORDS,
        parts=(
            Comp((gm.STEEL, gm.BANJO), ("....x.......x...", "..x...x...x...x."), "close", 62, gate=0.5, level=-5.0),
            Comp((gm.BANJO, gm.STEEL), ROLLS, "close", 57, level=-3.0),
            Bass((gm.ACOUSTIC_BASS,), ("1-------d-------", "1---....5---....")),
            Lead(
                (gm.FIDDLE, gm.BANJO, gm.STEEL, gm.HARMONICA),
                PICKING + LICKS,
                ("major pentatonic", "major"),
                presence=0.9,
                expressive=True,
            ),
        ),
        loose=0.007,
    ),
    Variant(
        "country pop",
        weight=0.8,
        keys=GUITAR_KEYS,
        tempo=(78, 124),
        progressions=FOUR_CHORDS + THREE_CHORDS[-2:],
        drums=TWO_STEP,
        parts=(
            Comp(
                (gm.STEEL, gm.STEEL, gm.CLEAN_GUITAR),
                ("D...D.DU.UDUD.DU", "D.DUD.DUD.DUD.DU", "D...D...D.DU.UDU"),
                "guitar",
                43,
                level=-4.0,
            ),
            Comp(
                (gm.ORGAN, gm.STRINGS, gm.PIANO),
                ("x---------------", "x-------x-------"),
                presence=0.75,
                level=-9.0,
                gate=1.0,
            ),
            Bass(BASSES, ("1-----1-5-----5-", "1---1---1---5---", "1-------5-----a-")),
            Lead(TWANGERS, LICKS, ("major pentatonic",), presence=0.95, expressive=True),
        ),
    ),
)
