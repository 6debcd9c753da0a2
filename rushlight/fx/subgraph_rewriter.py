"""`replace_pattern`: wherever a graph contains the nodes of a pattern, put those of another."""

from dataclasses import dataclass

from ._symbolic_trace import symbolic_trace
from .graph import Graph
from .graph_module import GraphModule
from .node import Node, map_arg

__all__ = ["Match", "replace_pattern"]


@dataclass
class Match:
    """A place where the pattern was found.

    Attributes:
        anchor: the node that gives the pattern's result.
        nodes_map: from nodes of the pattern to those found.
    """

    anchor: Node
    nodes_map: dict


def replace_pattern(gm, pattern, replacement):
    """Replaces, in place, each occurrence of a pattern; returns the list of `Match`es.

    Args:
        gm: a `GraphModule`; it is recompiled.
        pattern, replacement: functions (or graph modules) of the same arguments with one result.

    Example::

        >>> traced = rl.fx.symbolic_trace(lambda x: rl.neg(rl.relu(x)))
        >>> found = rl.fx.replace_pattern(traced, lambda x: rl.neg(rl.relu(x)), lambda x: x * 2)
        >>> len(found), traced(rl.ones(1))
        (1, tensor([2.]))
    """
    pattern, replacement = _graph_of(pattern), _graph_of(replacement)
    matches, taken = [], set()
    for node in list(gm.graph.nodes):
        found = {}
        if _matches(_result(pattern), node, found) and not _in_use(pattern, found, taken):
            matches.append(Match(node, found))
            taken.update(n for p, n in found.items() if p.op != "placeholder")
    replaced = {}
    for match in matches:
        _replace(gm.graph, pattern, replacement, match, replaced)
    gm.recompile()
    return matches


def _graph_of(program):
    if isinstance(program, (Graph, GraphModule)):
        return getattr(program, "graph", program)
    return symbolic_trace(program).graph


def _result(graph):
    result = graph.output_node().args[0]
    if not isinstance(result, Node):
        raise NotImplementedError("replace_pattern: a pattern with other than one result")
    return result


def _matches(pattern, node, found):
    """Do the nodes from here on backwards equal the pattern's? Notes which is which."""
    if not isinstance(node, Node):
        return False
    if pattern in found:
        return found[pattern] is node
    if any(node is other for other in found.values()):
        return False  # a node stands for one node of the pattern, placeholders included
    if pattern.op == "placeholder":
        found[pattern] = node
        return True
    if (pattern.op, pattern.target) != (node.op, node.target):
        return False
    found[pattern] = node
    return _same(pattern.args, node.args, found) and _same(pattern.kwargs, node.kwargs, found)


def _same(a, b, found):
    if isinstance(a, Node):
        if a.op == "placeholder" and not isinstance(b, Node):
            return found.setdefault(a, b) == b
        return _matches(a, b, found)
    if isinstance(a, (tuple, list)):
        alike = isinstance(b, (tuple, list)) and len(a) == len(b)
        return alike and all(_same(x, y, found) for x, y in zip(a, b))
    if isinstance(a, dict):
        alike = isinstance(b, dict) and a.keys() == b.keys()
        return alike and all(_same(a[key], b[key], found) for key in a)
    return type(a) is type(b) and a == b


def _in_use(pattern, found, taken):
    """Is a node of an earlier match among them, or is one used outside of the match?"""
    inner = {n for p, n in found.items() if p.op != "placeholder" and p is not _result(pattern)}
    own = {n for n in found.values() if isinstance(n, Node)}
    if any(n in taken for p, n in found.items() if p.op != "placeholder"):
        return True
    return any(user not in own for n in inner for user in n.users if n.op != "get_attr")


def _replace(graph, pattern, replacement, match, replaced):
    ins = [n for n in pattern.nodes if n.op == "placeholder"]
    outs = [n for n in replacement.nodes if n.op == "placeholder"]
    if len(ins) != len(outs):
        raise ValueError("replace_pattern: pattern and replacement differ in their arguments")
    values = {o: replaced.get(match.nodes_map[i], match.nodes_map[i]) for i, o in zip(ins, outs)}
    with graph.inserting_before(match.anchor):
        result = graph.graph_copy(replacement, values)
    result = map_arg(result, lambda n: n)
    match.anchor.replace_all_uses_with(result)
    replaced[match.anchor] = result
    for node in reversed(list(graph.nodes)):
        inside = any(n is node for p, n in match.nodes_map.items() if p.op != "placeholder")
        if inside and not node.users:
            graph.erase_node(node)
