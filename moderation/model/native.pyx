# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What scoring does for every comment, compiled; `scoring` does without where it is not built.

Nothing here decides what a token is or what it adds: that is `normal`, `ngrams` and `scoring`, and
tests hold this to them, text by text. What only some texts have (letters beyond ASCII, references,
links, addresses, words spelt letter by letter) is read by them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc, PyMem_Realloc
from libc.math cimport sqrt
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset

from secrets import randbits
from zlib import crc32

import numpy as np

from moderation.text import disguise, ngrams, normal
from moderation.text.addresses import may_link
from moderation.verdict import LABELS as LABELS_IN_ORDER

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef extern from *:
    """
    /* A product of 128 bits, folded: what is multiplied is secret, so that nobody can choose
       words that fall into the same place. */
    static inline uint64_t folded_product(uint64_t one, uint64_t other) {
        unsigned __int128 product = (unsigned __int128)one * other;
        return (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    """
    uint64_t folded_product(uint64_t one, uint64_t other) nogil
    void prefetch "__builtin_prefetch"(const void* place) nogil

cdef enum:
    MOST_BYTES = 1 << 30  # of the words of a table
    # What others say, and is held against below:
    LABELS = 8
    FACTS = 7
    WIDTHS = 5  # of windows: 2 to 6 bytes
    LEAST = 3
    LONGEST = 24
    SWAPPED = 4
    REPEATED = 3
    SPELT = 3

cdef enum:  # what a byte is, once folded
    INSIDE  # of a word
    BLANK  # between words: white space, control characters, the punctuation around words
    MARK  # one that may be more than that: ! . : @

cdef int BUCKETS = ngrams.BUCKETS
cdef float PAIR_WEIGHT = ngrams.PAIR_WEIGHT
cdef uint32_t PAIR_STEP = ngrams.PAIR_STEP
cdef uint32_t PAIR_MIXER = ngrams.PAIR_MIXER
cdef uint32_t WORD_MIXER = ngrams.WORD_MIXER
cdef int CODE_SHIFT = ngrams.CODE_SHIFT
cdef int WINDOW_SHIFT = ngrams.WINDOW_SHIFT
cdef uint64_t[WIDTHS] MIXERS
cdef uint64_t[WIDTHS] MASKS
_compiled = LABELS, FACTS, list(range(2, 2 + WIDTHS)), LEAST, LONGEST, SWAPPED, REPEATED, SPELT
_wanted = (
    *(len(LABELS_IN_ORDER), ngrams.FACTS, ngrams.WIDTHS.tolist()),
    *(disguise.LEAST, disguise.LONGEST, disguise.SWAPPED, disguise.REPEATED, disguise.SPELT),
)
if _compiled != _wanted:
    raise ImportError(f"expected to be compiled with {_wanted}, got {_compiled}: build it anew")
for _at in range(WIDTHS):
    MIXERS[_at] = ngrams.WINDOW_MIXERS[_at]
    MASKS[_at] = ngrams.WINDOW_MASKS[_at]

cdef uint8_t[128] FOLD
cdef uint8_t[256] KIND
cdef uint8_t[256] CALLED  # whether a "!" before it is a letter, an "@" of an address
for _at in range(256):
    KIND[_at] = BLANK if _at < 32 or normal.SPLIT[_at] == 32 else INSIDE
    CALLED[_at] = normal.CALLED.match(b"!" + bytes([_at])) is not None
for _at in range(128):
    FOLD[_at] = normal.FOLD[_at]
for _at in (33, 46, 58, 64):  # ! . : @
    KIND[_at] = MARK
del _at

cdef struct Facts:  # of a text, as `Normalised` has them
    Py_ssize_t length
    Py_ssize_t capitals
    Py_ssize_t digits
    Py_ssize_t links
    bint mailed
    Py_ssize_t calls
    bint foreign

cdef struct Word:  # of a text, and where to look for it
    Py_ssize_t at
    Py_ssize_t size
    uint64_t hash

cdef struct Entry:  # of a word; what most words need lies in it
    uint64_t head  # its first eight bytes
    uint32_t hash
    uint32_t size
    uint32_t tail  # where the bytes after those are
    int32_t place  # 0 where there is no word


cdef inline uint64_t _load(const uint8_t* source, Py_ssize_t size) noexcept nogil:
    """Read up to eight bytes as one number."""
    cdef uint64_t value = 0
    memcpy(&value, source, size if size < 8 else 8)
    return value


cdef class Places:
    """Where each word's sums lie; of words not met it says 0.

    A dict of bytes that can be asked without making an object of every word.
    """

    cdef Entry* _entries
    cdef Py_ssize_t _room  # a power of two, at least twice as many as there are words
    cdef Py_ssize_t _count
    cdef uint8_t* _bytes
    cdef Py_ssize_t _bytes_used
    cdef Py_ssize_t _bytes_room
    cdef uint64_t[3] _secret
    cdef uint32_t* _stamps  # the text in which a place was last found, by its turn
    cdef Py_ssize_t _stamps_room
    cdef uint32_t _turn

    def __cinit__(self):
        self._room = 1 << 10
        self._entries = <Entry*>_allocated(PyMem_Calloc(self._room, sizeof(Entry)))
        self._bytes_room = 1 << 13
        self._bytes = <uint8_t*>_allocated(PyMem_Malloc(self._bytes_room))
        for at in range(3):
            self._secret[at] = randbits(64)

    def __dealloc__(self):
        PyMem_Free(self._entries)
        PyMem_Free(self._bytes)
        PyMem_Free(self._stamps)

    def __len__(self):
        return self._count

    def __contains__(self, bytes word not None):
        return self[word] != 0

    def __getitem__(self, bytes word not None):
        return self._find(<const uint8_t*>PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))

    def get(self, bytes word not None):
        """Return the place of *word*, 0 where it has none."""
        return self[word]

    def __setitem__(self, bytes word not None, int place):
        self._put(<const uint8_t*>PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word), place)

    def add(self, words, first):
        """Note the places of *words*, one after the other from *first* on."""
        for place, word in enumerate(words, start=first):
            self[word] = place

    cdef uint64_t _hash(self, const uint8_t* word, Py_ssize_t size) noexcept nogil:
        cdef uint64_t found = self._secret[2] ^ <uint64_t>size
        cdef Py_ssize_t at = 0
        while size - at > 8:
            found = folded_product(_load(word + at, 8) ^ self._secret[0], found ^ self._secret[1])
            at += 8
        return folded_product(_load(word + at, size - at) ^ self._secret[0], found ^ self._secret[1])

    cdef inline void _expect(self, uint64_t hash) noexcept nogil:
        """Have what `_entry` reads first fetched: memory is slow, but not for many at once."""
        prefetch(self._entries + (hash & (self._room - 1)))

    cdef Entry* _entry(self, uint64_t hash, const uint8_t* word, Py_ssize_t size) noexcept nogil:
        """Return the entry of *word*, or the free one where it belongs."""
        cdef Py_ssize_t at = hash & (self._room - 1)
        cdef Entry* entry = self._entries + at
        cdef uint64_t head = _load(word, size)
        while entry.place and not (
            entry.head == head
            and entry.size == size
            and (size <= 8 or memcmp(self._bytes + entry.tail, word + 8, size - 8) == 0)
        ):
            at = (at + 1) & (self._room - 1)
            entry = self._entries + at
        return entry

    cdef int32_t _find(self, const uint8_t* word, Py_ssize_t size) noexcept nogil:
        return self._entry(self._hash(word, size), word, size).place

    cdef int _put(self, const uint8_t* word, Py_ssize_t size, int32_t place) except -1:
        if place <= 0:
            raise ValueError(f"expected a place above 0, got {place}")
        if 2 * (self._count + 1) > self._room:
            self._grow()
        cdef Py_ssize_t wanted = self._bytes_used + size
        if wanted > MOST_BYTES:
            raise OverflowError(f"expected words of at most {MOST_BYTES} bytes, got more")
        if wanted > self._bytes_room:
            self._bytes = <uint8_t*>_allocated(PyMem_Realloc(self._bytes, 2 * wanted))
            self._bytes_room = 2 * wanted
        cdef uint64_t hash = self._hash(word, size)
        cdef Entry* entry = self._entry(hash, word, size)
        if not entry.place:
            entry.head = _load(word, size)
            entry.hash = <uint32_t>hash
            entry.size = <uint32_t>size
            entry.tail = <uint32_t>self._bytes_used
            if size > 8:
                memcpy(self._bytes + self._bytes_used, word + 8, size - 8)
                self._bytes_used += size - 8
            self._count += 1
        entry.place = place
        return 0

    cdef int _grow(self) except -1:
        cdef Py_ssize_t at, to, room = 2 * self._room
        cdef Entry* entries = <Entry*>_allocated(PyMem_Calloc(room, sizeof(Entry)))
        for at in range(self._room):
            if self._entries[at].place:
                to = self._entries[at].hash & (room - 1)
                while entries[to].place:
                    to = (to + 1) & (room - 1)
                entries[to] = self._entries[at]
        PyMem_Free(self._entries)
        self._entries = entries
        self._room = room
        return 0

    cdef Py_ssize_t _distinct(self, int32_t* places, Py_ssize_t count) except -1:
        """Keep of *places* each one's first alone; return how many those are."""
        cdef Py_ssize_t at, kept = 0
        cdef int32_t place, most = 0
        cdef Py_ssize_t room
        cdef uint32_t* stamps
        for at in range(count):
            most = max(most, places[at])
        if most >= self._stamps_room:
            room = max(2 * self._stamps_room, <Py_ssize_t>most + 1)
            stamps = <uint32_t*>_allocated(PyMem_Calloc(room, sizeof(uint32_t)))
            PyMem_Free(self._stamps)
            self._stamps = stamps
            self._stamps_room = room
            self._turn = 0
        self._turn += 1
        if self._turn == 0:
            memset(self._stamps, 0, self._stamps_room * sizeof(uint32_t))
            self._turn = 1
        for at in range(count):
            place = places[at]
            if self._stamps[place] != self._turn:
                self._stamps[place] = self._turn
                places[kept] = place
                kept += 1
        return kept


cdef void* _allocated(void* memory) except NULL:
    if memory is NULL:
        raise MemoryError
    return memory


cdef class _Tokens:
    """The tokens of texts, one text after the other, in an array that grows."""

    cdef int32_t* at
    cdef Py_ssize_t count
    cdef Py_ssize_t room
    cdef Word* words  # of the text that is being read
    cdef Py_ssize_t words_room

    def __dealloc__(self):
        PyMem_Free(self.at)
        PyMem_Free(self.words)

    cdef int reserve(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t wanted = self.count + more
        if wanted > self.room:
            self.at = <int32_t*>_allocated(PyMem_Realloc(self.at, 2 * wanted * sizeof(int32_t)))
            self.room = 2 * wanted
        if more > self.words_room:
            self.words = <Word*>_allocated(PyMem_Realloc(self.words, 2 * more * sizeof(Word)))
            self.words_room = 2 * more
        return 0


cdef class _Unmet:
    """What is done about words that have no place."""

    cdef Places letters
    cdef dict beyond
    cdef Py_ssize_t room
    cdef object meet

    cdef int32_t place(self, bytes word) except -1:
        cdef int32_t place
        known = self.beyond.get(word)
        if known is not None:
            place = known
        elif _is_itself(self.letters, word):
            place = self.room + len(self.beyond)
            self.beyond[word] = place
        else:
            place = self.meet(word)
        if place <= 0:
            raise ValueError(f"expected a place above 0, got {place}")
        return place


def tokens(
    Places places not None,
    Places letters not None,
    texts,
    dict beyond not None,
    Py_ssize_t room,
    meet,
    joined,
    int first_word,
):
    """Return the places of the tokens of *texts*, and how many each text has, as arrays of int.

    *letters* has every word of the vocabulary, its letters in their order: so that most words
    without a place are known to be no other in disguise. Those are numbered in *beyond*, from
    *room* on; of others *meet* tells the place. *joined* takes words among which there are single
    letters in a row, and returns what they are read as. From *first_word* on are the places of
    words of more than one letter.
    """
    texts = tuple(texts)  # nobody takes one away meanwhile
    cdef _Unmet unmet = _Unmet()
    unmet.letters, unmet.beyond, unmet.room, unmet.meet = letters, beyond, room, meet
    cdef _Tokens found = _Tokens()
    sizes = np.empty(len(texts), dtype=np.intp)
    cdef Py_ssize_t[::1] counts = sizes
    cdef Py_ssize_t at, before
    for at in range(counts.shape[0]):
        before = found.count
        plain = _read(places, unmet, texts[at], first_word, found)
        if plain is not None:
            _read_elsewhere(places, unmet, plain, joined, first_word, found)
        counts[at] = found.count - before
    order = np.empty(found.count, dtype=np.intp)
    cdef Py_ssize_t[::1] told = order
    for at in range(found.count):
        told[at] = found.at[at]
    return order, sizes


cdef _read(Places places, _Unmet unmet, text, int first_word, _Tokens found):
    """Add the tokens of *text* to *found*, or return it `Normalised` when it is not read here.

    Words of a text that is not read here may have been met all the same.
    """
    cdef Py_ssize_t size, at, begin = -1, count = 0, distinct, beyond = 0
    cdef const uint8_t* raw
    cdef uint8_t* plain
    cdef bytes unfolded = None, elsewhere = None, folded
    if type(text) is str and PyUnicode_IS_COMPACT_ASCII(text) and "&" not in text:
        raw = <const uint8_t*>PyUnicode_AsUTF8AndSize(text, &size)
        folded = PyBytes_FromStringAndSize(NULL, size)
        plain = <uint8_t*>PyBytes_AS_STRING(folded)
        for at in range(size):
            plain[at] = FOLD[raw[at]]
    else:
        unfolded, elsewhere = normal.fold(text)
        raw = <const uint8_t*>PyBytes_AS_STRING(unfolded)
        size = PyBytes_GET_SIZE(unfolded)
        # A copy of its own, for it is written to.
        folded = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(elsewhere))
        plain = <uint8_t*>PyBytes_AS_STRING(folded)
        memcpy(plain, PyBytes_AS_STRING(elsewhere), PyBytes_GET_SIZE(elsewhere))
    cdef Facts facts = Facts(size, 0, 0, 0, 0, 0, 0)
    for at in range(size):
        facts.capitals += 65 <= raw[at] <= 90
        facts.digits += 48 <= raw[at] <= 57
    size = PyBytes_GET_SIZE(folded)
    # As many words as that, and each fact.
    found.reserve(FACTS + size // 2 + 1)
    cdef int32_t* read = found.at + found.count + FACTS
    cdef bint dotted = False, inside
    cdef uint8_t code, precedes, follows
    cdef Word* word
    # A blank behind the text ends the last word, and there is a 0 behind all bytes.
    for at in range(size + 1):
        code = plain[at]
        inside = KIND[code] == INSIDE
        if KIND[code] == MARK:
            precedes = plain[at - 1] if at else 32
            follows = plain[at + 1] if at < size else 32
            if code == 33:  # `normal.CALLED`
                facts.calls += 1
                inside = CALLED[follows]
                if inside:
                    plain[at] = 124  # |
            elif code == 46:  # `addresses.may_link`: before an ending, or behind www
                dotted |= 97 <= follows <= 122 or precedes == 119
            elif code == 58:  # the same: ://
                if follows == 47 and plain[at + 2] == 47:
                    return _normalised(text, unfolded, elsewhere)
            else:  # `addresses.MAIL`
                if precedes != 32 and CALLED[follows]:
                    return _normalised(text, unfolded, elsewhere)
                inside = True
        beyond += code > 127
        if inside and at < size:
            if begin < 0:
                begin = at
        elif begin >= 0:
            word = found.words + count
            word.at = begin
            word.size = at - begin
            word.hash = places._hash(plain + begin, at - begin)
            places._expect(word.hash)
            count += 1
            begin = -1
    if dotted and may_link(folded):
        return _normalised(text, unfolded, elsewhere)
    for at in range(count):
        word = found.words + at
        read[at] = places._entry(word.hash, plain + word.at, word.size).place
        if not read[at]:
            read[at] = unmet.place(folded[word.at : word.at + word.size])
    facts.foreign = 2 * beyond > size
    distinct = places._distinct(read, count)
    if _spells(read, distinct, first_word):
        return _normalised(text, unfolded, elsewhere)
    _put_facts(found.at + found.count, facts, count, distinct)
    found.count += FACTS + distinct
    return None


def _normalised(text, unfolded, folded):
    """Return *text* as `normalise` does, without folding it again where that was done."""
    return normal.normalise(text) if unfolded is None else normal.cut(unfolded, folded)


cdef int _read_elsewhere(
    Places places, _Unmet unmet, plain, joined, int first_word, _Tokens found
) except -1:
    """Add the tokens of a text that `normalise` has read to *found*."""
    words, length, capitals, digits, links, mails, calls, foreign = plain
    cdef Facts facts = Facts(length, capitals, digits, links, mails != 0, calls, foreign)
    cdef Py_ssize_t distinct = _look_up(places, unmet, words, found)
    if _spells(found.at + found.count + FACTS, distinct, first_word):
        words = joined(words)
        distinct = _look_up(places, unmet, words, found)
    _put_facts(found.at + found.count, facts, len(words), distinct)
    found.count += FACTS + distinct
    return 0


cdef Py_ssize_t _look_up(Places places, _Unmet unmet, list words, _Tokens found) except -1:
    """Write the places of *words* behind *found*, after room for facts; return how many differ."""
    cdef Py_ssize_t at
    found.reserve(FACTS + len(words))
    cdef int32_t* read = found.at + found.count + FACTS
    cdef bytes word
    for at in range(len(words)):
        word = words[at]
        if word is None:
            raise TypeError("expected words of type bytes, got None")
        read[at] = places._find(<const uint8_t*>PyBytes_AS_STRING(word), PyBytes_GET_SIZE(word))
        if not read[at]:
            read[at] = unmet.place(word)
    return places._distinct(read, len(words))


cdef bint _is_itself(Places letters, bytes text) noexcept:
    """Return whether a word that is not in the vocabulary is no other in disguise, for sure.

    So it is where `Vocabulary.plain` finds nothing to undo: letters alone, of which none is
    repeated, and no word of the vocabulary has the same; or no letter at all.
    """
    cdef const uint8_t* word = <const uint8_t*>PyBytes_AS_STRING(text)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(text)
    cdef Py_ssize_t[26] times
    cdef uint8_t[LONGEST] ordered
    cdef Py_ssize_t at, count = 0, row = 0
    cdef int letter
    if not LEAST <= size <= 4 * LONGEST:
        return True
    memset(times, 0, sizeof(times))
    for at in range(size):
        if word[at] > 127:
            return False
        if 97 <= word[at] <= 122:
            count += 1
            times[word[at] - 97] += 1
            row = row + 1 if at and word[at] == word[at - 1] else 1
            if row == REPEATED:
                return False
    if count == 0:
        return True
    if count < size:
        return False
    if not SWAPPED <= size <= LONGEST:
        return True
    count = 0
    for letter in range(26):
        for at in range(times[letter]):
            ordered[count] = 97 + letter
            count += 1
    return letters._find(ordered, size) == 0


cdef bint _spells(const int32_t* read, Py_ssize_t count, int first_word) noexcept nogil:
    """Return whether there are single letters in a row."""
    cdef Py_ssize_t at
    cdef int row = 0
    for at in range(count):
        row = row + 1 if read[at] < first_word else 0
        if row == SPELT:
            return True
    return False


cdef void _put_facts(
    int32_t* told, Facts facts, Py_ssize_t count, Py_ssize_t distinct
) noexcept nogil:
    """Write what `ngrams.fact_tokens` says."""
    cdef int32_t top = BUCKETS - 1
    cdef int32_t bits = 0
    while facts.length >> bits:
        bits += 1
    cdef Py_ssize_t size = max(facts.length, 1)
    count = max(count, 1)
    told[0] = min(top, bits)
    told[1] = BUCKETS + <int32_t>(15 * facts.capitals // size)
    told[2] = 2 * BUCKETS + <int32_t>(15 * facts.digits // size)
    told[3] = 3 * BUCKETS + <int32_t>(15 * (count - distinct) // count)
    told[4] = 4 * BUCKETS + <int32_t>min(<Py_ssize_t>top, facts.links)
    told[5] = 5 * BUCKETS + <int32_t>min(<Py_ssize_t>top, facts.calls)
    told[6] = 6 * BUCKETS + 2 * facts.mailed + facts.foreign


cdef int _check(const float[:, ::1] weights) except -1:
    if weights.shape[0] < ngrams.HASHED_ROWS or weights.shape[1] != LABELS:
        raise ValueError(
            f"expected at least {ngrams.HASHED_ROWS} rows of {LABELS} weights, "
            f"got {weights.shape[0]} of {weights.shape[1]}"
        )
    return 0


cdef int _check_held(
    const double[:, ::1] sums, const uint32_t[::1] codes, const uint8_t[::1] known
) except -1:
    if sums.shape[1] != LABELS or not sums.shape[0] == codes.shape[0] == known.shape[0]:
        raise ValueError(
            f"expected {LABELS} sums, a code and a familiarity of each word, got {sums.shape[1]} "
            f"sums of {sums.shape[0]} words, {codes.shape[0]} codes and {known.shape[0]}"
        )
    return 0


def worked(words, const float[:, ::1] weights):
    """Return the sums of *words* over *weights*, and their codes."""
    words = tuple(words)
    cdef Py_ssize_t count = len(words)
    _check(weights)
    sums = np.empty((count, LABELS))
    codes = np.empty(count, dtype=np.uint32)
    cdef double[:, ::1] told = sums
    cdef uint32_t[::1] code = codes
    cdef Py_ssize_t at, row, label, here, longest = 0
    cdef Py_ssize_t[2] sizes
    cdef double[LABELS] total
    cdef const float* one
    cdef double root
    cdef list padded = []
    for at in range(count):
        code[at] = crc32(words[at])
        padded.append(b" %b         " % words[at])  # windows are read eight bytes at a time
        longest = max(longest, len(padded[at]) - 8)
    rows = np.empty((2, 1 + WIDTHS * longest), dtype=np.uint32)
    cdef uint32_t[:, ::1] place = rows
    for at in range(count + 1):
        if at < count:
            # While one word is summed up, memory is asked for the next: it is slow.
            here = at & 1
            sizes[here] = _rows(padded[at], code[at], &place[here, 0])
            for row in range(sizes[here]):
                prefetch(&weights[place[here, row], 0])
        if at == 0:
            continue
        here = (at - 1) & 1
        for label in range(LABELS):
            total[label] = 0
        for row in range(sizes[here]):
            one = &weights[place[here, row], 0]
            for label in range(LABELS):
                total[label] += one[label]
        root = sqrt(<double>sizes[here])
        for label in range(LABELS):
            told[at - 1, label] = total[label] / root
    return sums, codes


cdef Py_ssize_t _rows(bytes padded, uint32_t code, uint32_t* rows) noexcept:
    """Write the rows of one word, as `ngrams.word_rows` orders them; return how many there are."""
    cdef Py_ssize_t begin, count = 1, size = PyBytes_GET_SIZE(padded) - 8
    cdef const uint8_t* window = <const uint8_t*>PyBytes_AS_STRING(padded)
    cdef uint64_t eight
    cdef int width
    rows[0] = (code * WORD_MIXER) >> CODE_SHIFT
    for begin in range(size):
        eight = _load(window + begin, 8)
        for width in range(min(<Py_ssize_t>WIDTHS, size - begin - 1)):
            rows[count] = ((eight & MASKS[width]) * MIXERS[width]) >> WINDOW_SHIFT
            count += 1
    return count


cdef inline uint32_t _pair(uint32_t before, uint32_t code) noexcept nogil:
    """Return the row of the pair of two tokens, as `ngrams.pair_rows` does."""
    return ((before * PAIR_STEP + code) * PAIR_MIXER) >> CODE_SHIFT


def pool(
    const Py_ssize_t[::1] order,
    const Py_ssize_t[::1] sizes,
    const double[::1] scales,
    memory,
    beyond,
    const float[:, ::1] weights,
):
    """Return what `Looked.pool` says of texts, and how many words of each are familiar.

    *order* and *sizes* are what `tokens` told, *scales* the root of each size, below 1. *memory*
    and *beyond* hold sums, codes and familiarity; the places of *beyond* are those behind *memory*.
    """
    _check(weights)
    cdef const double[:, ::1] near_sums = memory.sums, far_sums = beyond.sums
    cdef const uint32_t[::1] near_codes = memory.codes, far_codes = beyond.codes
    cdef const uint8_t[::1] near_known = memory.known.view(np.uint8)
    cdef const uint8_t[::1] far_known = beyond.known.view(np.uint8)
    cdef Py_ssize_t room = near_sums.shape[0], end = room + far_sums.shape[0]
    cdef Py_ssize_t texts = sizes.shape[0], text, index, place, label, at = 0
    _check_held(near_sums, near_codes, near_known)
    _check_held(far_sums, far_codes, far_known)
    if scales.shape[0] != texts:
        raise ValueError(f"expected {texts} scales, got {scales.shape[0]}")
    pooled = np.empty((texts, 3 * LABELS))
    familiar = np.empty(texts)
    cdef double[:, ::1] out = pooled
    cdef double[::1] known = familiar
    cdef double[LABELS] total
    cdef double[LABELS] peak
    cdef const double* one
    cdef const float* pair
    cdef uint32_t code, before
    for text in range(texts):
        before = 0
        known[text] = 0
        if not 1 <= sizes[text] <= order.shape[0] - at:
            raise ValueError(f"expected {order.shape[0]} tokens, got other sizes")
        for index in range(sizes[text]):
            place = order[at + index]
            if not 0 <= place < end:
                raise ValueError(f"expected places below {end}, got {place}")
            if place < room:
                prefetch(&near_sums[place, 0])
                code = near_codes[place]
            else:
                code = far_codes[place - room]
            prefetch(&weights[_pair(before, code), 0])
            before = code
        before = 0
        for index in range(sizes[text]):
            place = order[at + index]
            if place < room:
                one = &near_sums[place, 0]
                code = near_codes[place]
                known[text] += near_known[place]
            else:
                one = &far_sums[place - room, 0]
                code = far_codes[place - room]
                known[text] += far_known[place - room]
            pair = &weights[_pair(before, code), 0]
            before = code
            if index:
                for label in range(LABELS):
                    total[label] += one[label] + PAIR_WEIGHT * pair[label]
                    peak[label] = max(peak[label], one[label])
            else:
                for label in range(LABELS):
                    total[label] = one[label] + PAIR_WEIGHT * pair[label]
                    peak[label] = one[label]
        at += sizes[text]
        for label in range(LABELS):
            out[text, label] = total[label] * scales[text]
            out[text, LABELS + label] = out[text, label] * scales[text]
            out[text, 2 * LABELS + label] = peak[label]
    return pooled, familiar
