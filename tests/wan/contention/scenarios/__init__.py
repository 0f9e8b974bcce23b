"""One module a question. Each has measure(records, reps) for the figures and check(records) for what must hold on any machine."""

from . import cap, foreground, many, side_by_side, throttle

ALL = {"side-by-side": side_by_side, "many": many, "foreground": foreground, "throttle": throttle, "cap": cap}
