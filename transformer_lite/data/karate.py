"""Zachary's karate club: a graph with a story, small enough to look at every member.

A conflict split the club in two: one half went with its instructor, the other with its officers.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

MEMBERS = 34

# Who is whose friend: behind each member those friends that have a higher number.
LATER_FRIENDS = {
    0: (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31),
    1: (2, 3, 7, 13, 17, 19, 21, 30),
    2: (3, 7, 8, 9, 13, 27, 28, 32),
    3: (7, 12, 13),
    4: (6, 10),
    5: (6, 10, 16),
    6: (16,),
    8: (30, 32, 33),
    9: (33,),
    13: (33,),
    14: (32, 33),
    15: (32, 33),
    18: (32, 33),
    19: (33,),
    20: (32, 33),
    22: (32, 33),
    23: (25, 27, 29, 32, 33),
    24: (25, 27, 31),
    25: (31,),
    26: (29, 33),
    27: (33,),
    28: (31, 33),
    29: (32, 33),
    30: (32, 33),
    31: (32, 33),
    32: (33,),
}
OFFICERS = (9, 14, 15, 18, 20, *range(22, MEMBERS))


@dataclass(frozen=True)
class KarateClub:
    """The club before its split, and where its members went.

    Members are counted from 0; the paper counts from 1.

    Attributes:
        friends: Bool[34, 34], True where two members met outside the club as well. Symmetric; no
            member is a friend of their own.
        faction: Int[34], the club that a member joined after the split: 0 that of the instructor
            (member 0), 1 that of the officers (member 33).
    """

    friends: Bool[Tensor, "34 34"]
    faction: Int[Tensor, "34"]


def karate_club() -> KarateClub:
    """34 members, 78 friendships, two factions of 17.

    Source: Zachary 1977, "An information flow model for conflict and fission in small groups":
    friendships as everybody uses them since (the paper's drawing lacks one, of members 22 and 33),
    factions from table 3.
    """
    friends = torch.zeros(MEMBERS, MEMBERS, dtype=torch.bool)
    for member, later in LATER_FRIENDS.items():
        friends[member, later] = True
    faction = torch.zeros(MEMBERS, dtype=torch.long)
    faction[list(OFFICERS)] = 1
    return KarateClub(friends | friends.T, faction)
