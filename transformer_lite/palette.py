"""One colour for each thing, the same in every figure, widget and formula of the course.

    QUERY    what asks                          blue
    KEY      what is compared with the query    vermilion
    VALUE    what is handed over                bluish green
    OUTPUT   the blend of values                light purple
    MASK     what may not be seen               dark grey
    NEUTRAL  what only accompanies: axes, the curves that are not meant, unused cells
    RIGHT    a right answer, WRONG a wrong one: always with a word or a mark beside them

Blue, vermilion and bluish green are those of Okabe and Ito, "Color universal design" (2008); the
others were chosen so that the first five, and the last three, can be told apart with any kind of
colour vision. All reach a contrast of 3 : 1 against white and against dark pages (WCAG 2.2,
criterion 1.4.11), enough for lines, areas and large marks. Text keeps the page's own colour.
"""

QUERY = "#0072B2"
KEY = "#D55E00"
VALUE = "#009E73"
OUTPUT = "#B184BA"
MASK = "#5F6B64"
NEUTRAL = "#8C9196"
RIGHT = "#00798C"
WRONG = "#C4314B"

# The parts of a model that attends, as diagrams draw them.
ENCODER = KEY  # its states are what a query is compared with
DECODER = QUERY  # its state asks
CONTEXT = OUTPUT  # it is the blend of the encoder's states

ROLES = {
    "query": QUERY,
    "key": KEY,
    "value": VALUE,
    "output": OUTPUT,
    "mask": MASK,
    "neutral": NEUTRAL,
    "right": RIGHT,
    "wrong": WRONG,
}
