"""How each genre is played: declarations only, one module a genre, in the vocabulary of [`mgc_hf.data.demo.spec`].

Instruments, tempi and rhythms overlap between genres on purpose: a listener (or a model) has to hear how they are used
together in time, not merely which of them sound.
"""

from mgc_hf.data.demo.spec import Variant
from mgc_hf.data.demo.styles import blues, classical, country, disco, hiphop, jazz, metal, pop, reggae, rock

#: The variants of each genre; the keys are GTZAN's genres in its order.
STYLES: dict[str, tuple[Variant, ...]] = {
    "blues": blues.VARIANTS,
    "classical": classical.VARIANTS,
    "country": country.VARIANTS,
    "disco": disco.VARIANTS,
    "hiphop": hiphop.VARIANTS,
    "jazz": jazz.VARIANTS,
    "metal": metal.VARIANTS,
    "pop": pop.VARIANTS,
    "reggae": reggae.VARIANTS,
    "rock": rock.VARIANTS,
}
