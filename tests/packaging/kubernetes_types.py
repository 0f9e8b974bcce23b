"""Kubernetes objects against the types of the API, without a cluster: an unknown field, a missing one, a wrong type.

The types are those of Debian's python3-kubernetes, whose models know each field's name and type."""

import kubernetes.client as api


def check(document):
    """What is wrong with the object, a line each; None if its kind is not the API's own (a custom resource)."""
    group, _, version = document["apiVersion"].rpartition("/")
    name = version.capitalize() + document["kind"]
    if group and not (group.endswith(".k8s.io") or group in ("apps", "batch")) or not hasattr(api, name):
        return None
    return list(_object(document, name, document["kind"]))


def _object(value, model, where):
    kind = getattr(api, model)
    if not isinstance(value, dict):
        yield f"{where}: not a table"
        return
    by_name = {json: attribute for attribute, json in kind.attribute_map.items()}
    attributes = {}
    for name, inner in value.items():
        if name not in by_name:
            yield f"{where}.{name}: there is no such field in {model}"
            continue
        attributes[by_name[name]] = inner
        yield from _value(inner, kind.openapi_types[by_name[name]], f"{where}.{name}")
    try:
        kind(**attributes)  # Which fields are required, and which values a field may have.
    except ValueError as error:
        yield f"{where}: {error}"


def _value(value, kind, where):
    if kind.startswith("list["):
        if not isinstance(value, list):
            yield f"{where}: not a list"
            return
        for index, inner in enumerate(value):
            yield from _value(inner, kind[5:-1], f"{where}[{index}]")
    elif kind.startswith("dict("):
        inner_kind = kind[5:-1].split(", ", 1)[1]
        for name, inner in value.items():
            yield from _value(inner, inner_kind, f"{where}.{name}")
    elif kind == "object":
        pass
    elif hasattr(api, kind):
        yield from _object(value, kind, where)
    elif not isinstance(value, {"str": str, "int": int, "bool": bool, "float": (int, float)}.get(kind, object)):
        yield f"{where}: {value!r} is no {kind}"
