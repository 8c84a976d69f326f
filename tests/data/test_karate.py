"""The karate club: the counts that the literature gives, and who stands where."""

from transformer_lite.data import karate_club

CLUB = karate_club()


def test_friendship_is_mutual_and_with_others() -> None:
    assert CLUB.friends.equal(CLUB.friends.T)
    assert not CLUB.friends.diagonal().any()


def test_members_have_as_many_friends_as_published() -> None:
    assert CLUB.friends.sum() == 2 * 78
    # fmt: off
    assert CLUB.friends.sum(1).tolist() == [
        16, 9, 10, 6, 3, 4, 4, 4, 5, 2, 3, 1, 2, 5, 2, 2, 2, 2, 2, 3, 2, 2, 2, 5, 3, 3, 2, 4, 3, 4,
        4, 6, 12, 17,
    ]
    # fmt: on


def test_the_club_is_one_and_its_leaders_are_no_friends() -> None:
    reached = CLUB.friends[0]
    assert not reached[33]
    for _ in range(len(reached)):
        reached = reached | CLUB.friends[reached].any(0)
    assert reached.all()


def test_factions_are_equal_in_size_and_hold_their_leaders() -> None:
    assert CLUB.faction.bincount().tolist() == [17, 17]
    assert CLUB.faction[[0, 33]].tolist() == [0, 1]
    assert CLUB.faction[8] == 0  # whom the paper's method places wrong
