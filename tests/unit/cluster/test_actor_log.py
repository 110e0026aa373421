"""What an operator sees of an actor's log."""

from farm.cluster.actor import without_marks


def test_rays_own_marks_are_no_lines_of_the_log() -> None:
    log = ":job_id:01000000\n:actor_name:NodeActor\na warning\nof :job_id: 7\n"
    assert without_marks(log) == "a warning\nof :job_id: 7\n"
    assert without_marks("") == ""
