"""General MIDI program numbers (from 0) and drum keys that the demo styles use.

Source: General MIDI 1 sound set and percussion key map (MIDI Manufacturers Association, RP-003); the numbers of the
drum kits are Roland's GS ones, which the soundfont follows.
"""

# Programs: keys and chromatic percussion.
PIANO, BRIGHT_PIANO, ELECTRIC_GRAND, HONKY_TONK, E_PIANO, E_PIANO_2, HARPSICHORD, CLAVINET = range(8)
CELESTA, MUSIC_BOX, VIBRAPHONE, MARIMBA = 8, 10, 11, 12
ORGAN, PERCUSSIVE_ORGAN, ROCK_ORGAN, CHURCH_ORGAN, REED_ORGAN, ACCORDION, HARMONICA, BANDONEON = range(16, 24)
# Guitars and basses.
NYLON, STEEL, JAZZ_GUITAR, CLEAN_GUITAR, MUTED_GUITAR, OVERDRIVE, DISTORTION = range(24, 31)
ACOUSTIC_BASS, FINGER_BASS, PICK_BASS, FRETLESS, SLAP_BASS, SLAP_BASS_2, SYNTH_BASS, SYNTH_BASS_2 = range(32, 40)
# Strings, ensembles, brass, reeds, pipes.
VIOLIN, VIOLA, CELLO, CONTRABASS, TREMOLO, PIZZICATO, HARP, TIMPANI = range(40, 48)
STRINGS, SLOW_STRINGS, SYNTH_STRINGS, SYNTH_STRINGS_2, CHOIR, OOHS, SYNTH_VOX, ORCHESTRA_HIT = range(48, 56)
TRUMPET, TROMBONE, TUBA, MUTE_TRUMPET, HORN, BRASS, SYNTH_BRASS, SYNTH_BRASS_2 = range(56, 64)
SOPRANO_SAX, ALTO_SAX, TENOR_SAX, BARITONE_SAX, OBOE, ENGLISH_HORN, BASSOON, CLARINET = range(64, 72)
FLUTE, RECORDER, PAN_FLUTE = 73, 74, 75
# Synthesizers and folk instruments.
SQUARE_LEAD, SAW_LEAD, CALLIOPE, CHARANG, SOLO_VOX = 80, 81, 82, 84, 85
NEW_AGE_PAD, WARM_PAD, POLYSYNTH, CHOIR_PAD, HALO_PAD = 88, 89, 90, 91, 94
BANJO, KALIMBA, FIDDLE = 105, 108, 110

# Drum kits (programs of the drum channel).
STANDARD_KIT, ROOM_KIT, POWER_KIT, ELECTRONIC_KIT, TR808_KIT, JAZZ_KIT, BRUSH_KIT = 0, 8, 16, 24, 25, 32, 40

#: Drum keys by the names that the styles write.
DRUM_KEYS: dict[str, int] = {
    "kick": 36,
    "snare": 38,
    "snare2": 40,
    "rim": 37,
    "clap": 39,
    "hat": 42,
    "pedal": 44,
    "open": 46,
    "crash": 49,
    "china": 52,
    "ride": 51,
    "bell": 53,
    "tambourine": 54,
    "cowbell": 56,
    "conga": 63,
    "low_conga": 64,
    "timbale": 65,
    "shaker": 70,
    "claves": 75,
    "triangle": 81,
    "scratch": 29,
    "floor_tom": 41,
    "low_tom": 45,
    "mid_tom": 47,
    "high_tom": 50,
}

#: Toms of a fill, from high to low.
TOMS: tuple[str, ...] = ("high_tom", "mid_tom", "low_tom", "floor_tom")

#: Programs that are struck or plucked and so die away while the key is held: seconds until 1/e (8.7 dB less) is left.
#: The synthesizer holds the loop of such a sample at a constant level.
DECAY_S: dict[int, float] = {
    **dict.fromkeys((PIANO, BRIGHT_PIANO, ELECTRIC_GRAND, HONKY_TONK, E_PIANO, E_PIANO_2), 1.3),
    **dict.fromkeys((HARPSICHORD, CLAVINET, MUSIC_BOX, MARIMBA, KALIMBA, BANJO, PIZZICATO), 0.5),
    **dict.fromkeys((NYLON, STEEL, JAZZ_GUITAR, CLEAN_GUITAR, HARP, CELESTA), 0.9),
    **dict.fromkeys((VIBRAPHONE, TIMPANI, ACOUSTIC_BASS, FINGER_BASS, PICK_BASS, SLAP_BASS, SLAP_BASS_2), 1.1),
    **dict.fromkeys((FRETLESS, OVERDRIVE), 2.5),
    MUTED_GUITAR: 0.15,
    DISTORTION: 4.0,
}

#: The same for drums (the electronic kits loop even their kicks), by the names above.
_DRUM_DECAY_S = {
    **dict.fromkeys(("hat", "pedal", "rim", "claves", "shaker", "cowbell"), 0.05),
    **dict.fromkeys(("tambourine", "clap", "scratch"), 0.1),
    **dict.fromkeys(("kick", "snare", "snare2", "conga", "low_conga", "timbale"), 0.15),
    **dict.fromkeys(("floor_tom", "low_tom", "mid_tom", "high_tom", "triangle", "open"), 0.3),
    **dict.fromkeys(("ride", "bell"), 0.6),
    **dict.fromkeys(("crash", "china"), 0.9),
}
DRUM_DECAY_S: dict[int, float] = {key: _DRUM_DECAY_S[name] for name, key in DRUM_KEYS.items()}
