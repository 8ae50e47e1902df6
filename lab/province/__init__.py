"""A province to try things on: made from a few numbers, brought to life, described to the daemon."""

from lab.province.generate import generate
from lab.province.nouns import Credentials, Link, Offer, Province, Site, Unit
from lab.province.running import RunningProvince
from lab.province.shape import Shape

__all__ = ["Credentials", "Link", "Offer", "Province", "RunningProvince", "Shape", "Site", "Unit", "generate"]
