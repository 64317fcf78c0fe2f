"""Words that name a group of people, and nothing else.

Every label but identity_attack reads them as one and the same word, so that naming a group is
no insult and no group scores higher than another; pairs of words are blind for all labels.
Pure: no clock, no database, no model.
"""

from collections.abc import Iterable

STAND_IN = b"person"
"""The word that is read in place of any of `TERMS`."""

TERMS = frozenset(
    # gender and orientation
    b"woman women female females man men male males girl girls boy boys lady ladies gentleman "
    b"gay gays lesbian lesbians bisexual bisexuals transgender transsexual trans queer lgbt lgbtq "
    b"homosexual homosexuals homosexuality heterosexual heterosexuals straight nonbinary "
    b"feminist feminists "
    # belief
    b"muslim muslims islam islamic jew jews jewish judaism christian christians christianity "
    b"catholic catholics catholicism protestant protestants evangelical mormon mormons buddhist "
    b"buddhists buddhism hindu hindus hinduism sikh sikhs taoist atheist atheists agnostic "
    # origin and colour
    b"black blacks white whites african africans asian asians arab arabs arabic latino latinos "
    b"latina latinas latinx hispanic hispanics caucasian caucasians indigenous aboriginal roma "
    b"gypsies mexican mexicans american americans canadian canadians chinese japanese korean "
    b"koreans indian indians pakistani pakistanis european europeans russian russians german "
    b"germans french italian italians polish irish english british spanish turkish turks greek "
    b"iranian iranians israeli israelis palestinian palestinians syrian syrians afghan afghans "
    b"nigerian nigerians somali somalis middle eastern immigrant immigrants migrant migrants "
    b"refugee refugees foreigner foreigners "
    # age and ability
    b"old older young younger elderly teenage teenager teenagers millennial millennials blind "
    b"deaf paralyzed disabled disability handicapped autistic wheelchair".split()
)


def blinded(words: Iterable[bytes]) -> list[bytes]:
    """Return *words* with those that name a group replaced."""
    return [STAND_IN if word in TERMS else word for word in words]
