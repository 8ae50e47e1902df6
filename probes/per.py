"""As much of aligned PER (X.691) as reading the answers of an H.323 gatekeeper needs."""

from __future__ import annotations


class Reader:
    """Reads a message from its first bit on.

    Parameters:
        data: the message; hostile.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._bit = 0

    def bits(self, count: int) -> int:
        """Read so many bits.

        Raises:
            ValueError: the message is cut off, here as everywhere in this class.
        """
        end = self._bit + count
        if end > 8 * len(self._data):
            raise ValueError("cut off")
        first, last = self._bit // 8, (end + 7) // 8
        self._bit = end
        return int.from_bytes(self._data[first:last], "big") >> (8 * last - end) & (1 << count) - 1

    def octets(self, count: int) -> bytes:
        """Read so many octets from the next whole one on (§11.9.3.3)."""
        first = (self._bit + 7) // 8
        if first + count > len(self._data):
            raise ValueError("cut off")
        self._bit = 8 * (first + count)
        return self._data[first : first + count]

    def short_length(self) -> int:
        """Read an unconstrained length below 16,384 (§11.9.3.6); longer ones come in pieces and are none of ours."""
        first = self.octets(1)[0]
        if first < 0x80:
            return first
        if first >= 0xC0:
            raise ValueError("in pieces")
        return (first & 0x3F) << 8 | self.octets(1)[0]

    def choice(self, index_bits: int) -> tuple[bool, int]:
        """Read which alternative of an extensible choice this is (§23).

        Parameters:
            index_bits: of the alternatives before the extension marker.

        Returns:
            whether it is one behind the extension marker, and its number.
        """
        if not self.bits(1):
            return False, self.bits(index_bits)
        if self.bits(1):
            raise ValueError("an alternative that is not known")
        return True, self.bits(6)
