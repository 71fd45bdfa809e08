"""Counts what a text is made of. Arguments: JSON on standard input; result: JSON on standard output."""

import json
import re
import sys
from collections import Counter

WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+")

arguments = json.load(sys.stdin)
if "path" in arguments:
    try:
        with open(arguments["path"], encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        sys.exit(f"{arguments['path']} cannot be read: {error}")
else:
    text = arguments.get("text", "")

words = [word.lower() for word in WORD.findall(text)]
figures = {
    "characters": len(text),
    "words": len(words),
    "lines": len(text.splitlines()),
    "most_frequent": Counter(words).most_common(arguments.get("most_frequent", 5)),
}
print(json.dumps(figures, ensure_ascii=False))
