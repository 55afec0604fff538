"""One terminal is drawn on by one screen, whoever draws."""

import io

from rich.console import Console

from trialflow.cli.terminal.screen import Screen


def paper() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=60)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_drawings_are_below_each_other_and_what_is_printed_stays_above() -> None:
    console = paper()
    screen = Screen(console)
    with screen.drawing(lambda: "an image"), screen.drawing(lambda: "a table"):
        console.print("a word")
        seen = written(console)
    assert seen.rindex("a word") < seen.rindex("an image") < seen.rindex("a table")


def test_nothing_to_draw_takes_no_room_and_leaves_the_cursor_alone() -> None:
    console = paper()
    screen = Screen(console)
    with screen.drawing(lambda: None):
        console.print("a word")
    assert written(console) == "a word\n"


def test_the_last_picture_stays_if_it_is_meant_to() -> None:
    console = paper()
    screen = Screen(console)
    with screen.drawing(lambda: "lasting", stays=True):
        pass
    assert written(console).endswith("lasting\n")
    with screen.drawing(lambda: "passing"):
        pass
    assert written(console).rindex("passing") < written(console).rindex("\x1b[2K")


def test_an_end_at_once_gives_the_cursor_back() -> None:
    console = paper()
    screen = Screen(console)
    with screen.drawing(lambda: "a table"):
        assert "\x1b[?25l" in written(console)
        screen.end()
        assert written(console).rindex("\x1b[?25h") > written(console).rindex("\x1b[?25l")
