"""Markdown as one HTML page that needs no other file."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from markdown_it import MarkdownIt
from markdown_it.token import Token

from training.paper.markdown import anchor

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 0 auto; padding: 1rem; }}
h2 {{ margin-top: 3rem; border-top: 1px solid #8886; padding-top: 1rem; }}
table {{ border-collapse: collapse; display: block; overflow-x: auto; font-size: 13px; }}
th, td {{ border: 1px solid #8886; padding: 0.2rem 0.5rem; text-align: left; }}
tbody tr:nth-child(even) {{ background: #8881; }}
td {{ font-variant-numeric: tabular-nums; }}
code, pre {{ font-size: 13px; overflow-wrap: anywhere; }}
h2 code, h3 code {{ font-size: inherit; }}
td code {{ white-space: nowrap; }}
pre {{ background: #8882; padding: 0.6rem; white-space: pre-wrap; }}
img {{ max-width: 100%; background: white; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


def html_page(title: str, text: str, pictures: Mapping[str, bytes]) -> str:
    """A page of Markdown, its PNG pictures, by name, inside; headings can be linked to."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for place, token in enumerate(tokens):
        if token.type == "heading_open":
            token.attrSet("id", anchor(tokens[place + 1].content))
        for child in token.children or []:
            if child.type == "image":
                _put_inside(child, pictures)
    body = parser.renderer.render(tokens, parser.options, {})
    return _PAGE.format(title=escape(title), body=body)


def _put_inside(image: Token, pictures: Mapping[str, bytes]) -> None:
    content = pictures.get(str(image.attrGet("src")))
    if content is not None:
        image.attrSet("src", f"data:image/png;base64,{b64encode(content).decode()}")
