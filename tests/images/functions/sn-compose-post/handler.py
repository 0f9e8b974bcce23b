"""Social network: makes a post of a text, with its mentions, links and a signature, as the document that is stored."""

import re

import bson
import sign


def main(arguments):
    text = arguments.get("text", "hello @ada, see http://example.org/a")
    post = {"text": text, "mentions": re.findall(r"@(\w+)", text), "urls": re.findall(r"https?://\S+", text)}
    post["signature"] = sign.sha256(text.encode()).hex()
    return {"bytes": len(bson.BSON.encode(post)), "signature": post["signature"]}
