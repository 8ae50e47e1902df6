"""How a call over this line would sound: the E-model (ITU-T G.107, 06/2015), narrowband, and its MOS (Annex B).

    R = Ro - Is - Id - Ie,eff + A

with every parameter at its default (Table 2) but the delay (T = Ta, Tr = 2 T), the codec (Ie, Bpl: ITU-T G.113
Appendix I) and the packet loss (Ppl, BurstR). All defaults and no delay give R = 93.2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Codec:
    """What a codec costs.

    Parameters:
        impairment: Ie, its own equipment impairment factor.
        robustness: Bpl, its packet-loss robustness factor.
        delay_ms: of one packet of 20 ms (30 ms for G.723.1) with the look-ahead.
    """

    impairment: float
    robustness: float
    delay_ms: float


CODECS: Mapping[str, Codec] = {
    "g711": Codec(0, 4.3, 20.0),
    "g711-plc": Codec(0, 25.1, 20.0),
    "g729a": Codec(11, 19.0, 25.0),
    "g723.1": Codec(15, 16.1, 37.5),
    "gsm-efr": Codec(5, 10.0, 20.0),
}
"""Ie and Bpl from G.113 Appendix I; ``-plc``: with the packet loss concealment of G.711 Appendix I."""

_SLR, _RLR, _STMR, _DS, _DR = 8.0, 2.0, 15.0, 3.0, 3.0
_TELR, _WEPL, _QDU, _NC, _NFOR, _PS, _PR = 65.0, 110.0, 1.0, -70.0, -64.0, 35.0, 35.0
_LSTR, _OLR = _STMR + _DR, _SLR + _RLR


def r_factor(
    delay_ms: float = 0.0, loss_percent: float = 0.0, codec: Codec = CODECS["g711"], burst_ratio: float = 1.0
) -> float:
    """Return the transmission rating factor R, 0 to 93.2 (G.107 §7).

    Parameters:
        delay_ms: one way, mouth to ear.
        loss_percent: packets that do not come, or too late.
        codec: one of `CODECS`.
        burst_ratio: BurstR: 1 for random loss, more when losses come together.
    """
    ro, no = _basic_ratio()
    lost = max(0.0, min(100.0, loss_percent))
    effective = codec.impairment + (95 - codec.impairment) * lost / (lost / max(1.0, burst_ratio) + codec.robustness)
    return max(0.0, ro - _simultaneous(ro, no, delay_ms) - _delay(ro, no, max(0.0, delay_ms)) - effective)


def mos(r: float) -> float:
    """Turn R into the mean opinion score of conversation, 1 to 4.5 (G.107 Annex B)."""
    if r <= 6.5153:  # below, the polynomial would rise again (note in Annex B)
        return 1.0
    return min(4.5, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def _basic_ratio() -> tuple[float, float]:
    """Ro, and the sum of the noises No (§7.2)."""
    nos = _PS - _SLR - _DS - 100 + 0.004 * (_PS - _OLR - _DS - 14) ** 2
    pre = _PR + 10 * math.log10(1 + 10 ** ((10 - _LSTR) / 10))
    nor = _RLR - 121 + pre + 0.008 * (pre - 35) ** 2
    no = 10 * math.log10(sum(10 ** (noise / 10) for noise in (_NC, nos, nor, _NFOR + _RLR)))
    return 15 - 1.5 * (_SLR + no), no


def _simultaneous(ro: float, no: float, delay_ms: float) -> float:
    """Is: too loud, side tone, quantizing (§7.3)."""
    xolr = _OLR + 0.2 * (64 + no - _RLR)
    iolr = 20 * ((1 + (xolr / 8) ** 8) ** (1 / 8) - xolr / 8)
    stmro = -10 * math.log10(10 ** (-_STMR / 10) + math.exp(-delay_ms / 4) * 10 ** (-_TELR / 10))
    ist = (
        12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((stmro + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    q = 37 - 15 * math.log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (ro - 100) / 15 + 46 / 8.4 - g / 9
    return float(iolr + ist + 15 * math.log10(1 + 10**y + 10 ** (46 / 30 - g / 40)))


def _delay(ro: float, no: float, delay_ms: float) -> float:
    """Id: talker echo, listener echo, and the delay itself (§7.4)."""
    terv = _TELR - 40 * math.log10((1 + delay_ms / 10) / (1 + delay_ms / 150)) + 6 * math.exp(-0.3 * delay_ms**2)
    re = 80 + 2.5 * (terv - 14)
    half = (-1.5 * (no - _RLR) - re) / 2
    idte = (half + math.sqrt(half**2 + 100) - 1) * (1 - math.exp(-delay_ms))
    rle = 10.5 * (_WEPL + 7) * (2 * delay_ms + 1) ** -0.25
    half = (ro - rle) / 2
    idle = half + math.sqrt(half**2 + 169)
    if delay_ms <= 100:
        return float(idte + idle)
    x = math.log2(delay_ms / 100)
    idd = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return float(idte + idle + idd)
