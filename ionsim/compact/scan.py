"""A scan of Verilog-A text for what OpenVAF-Reloaded rejects, and for what it takes and simulates wrongly.

The second kind matters more: those models compile without a word and give wrong currents.
"""

from __future__ import annotations

import re

#: Pattern -> why it is forbidden.
FORBIDDEN: dict[str, str] = {
    r"@\s*\(\s*(cross|above|timer)": "events are rejected",
    r"@\s*\(\s*(initial_step|final_step)": "runs at every evaluation instead of once",
    r"\$(random|rdist_\w+|dist_\w+|arandom)\b": "random functions are rejected",
    r"\$table_model\b": "tables are rejected",
    r"\blaplace_\w+": "rejected",
    r"\bzi_\w+": "rejected",
    r"\btransition\s*\(": "rejected",
    r"\bslew\s*\(": "rejected",
    r"\bidtmod\s*\(": "simulated wrongly",
    r"\bidt\s*\((?:[^()]|\([^()]*\))*,": "its initial condition is lost in ngspice",
    r"\babsdelay\s*\(": "no delay in ngspice",
    r"\b(real|integer)\s+\w+\s*\[": "arrays are rejected",
    r"\banalysis\s*\(": "differs between simulators",
    r"`include\s+\"constants\.vams\"": "holds constants of 1998; write literals",
}


def forbidden(text: str) -> list[str]:
    """What is wrong with a Verilog-A text, one line a finding: line number, construct, reason; empty when clean."""
    findings = []
    code = [re.sub(r"//.*", "", line) for line in text.splitlines()]
    for number, line in enumerate(code, start=1):
        for pattern, reason in FORBIDDEN.items():
            if found := re.search(pattern, line):
                findings.append(f"line {number}: {found.group(0).strip()}: {reason}")
    findings += [f"line {number}: ddt or idt inside a condition: rejected" for number in _conditional_ddt(code)]
    findings += [f"{name} keeps no value between time steps" for name in _memory(code)]
    return findings


def _conditional_ddt(code: list[str]) -> list[int]:
    """Lines where ddt or idt stands in an if or else, without a block or inside one."""
    found, depth, conditional = [], 0, []
    pending = False
    for number, line in enumerate(code, start=1):
        for word in re.findall(r"\b(?:if|else|begin|end|ddt|idt)\b|;", line):
            if word in ("if", "else"):
                pending = True
            elif word == "begin":
                depth += 1
                if pending:
                    conditional.append(depth)
                    pending = False
            elif word == "end":
                if conditional and conditional[-1] == depth:
                    conditional.pop()
                depth -= 1
            elif word == ";":
                pending = False
            elif pending or conditional:
                found.append(number)
    return found


def _memory(code: list[str]) -> list[str]:
    """Variables of the analog block that are read before they are assigned: a memory that does not work."""
    text = "\n".join(code)
    block = re.search(r"\banalog\s+begin\b(.*)\bend\s*endmodule", text, re.DOTALL)
    if not block:
        return []
    functions = re.sub(r"\banalog\s+function\b.*?\bendfunction\b", "", text[: block.start()], flags=re.DOTALL)
    declared = {
        name.strip()
        for names in re.findall(r"(?<!parameter )\breal\s+([\w\s,]+);", functions)
        for name in names.split(",")
    }
    assigned: set[str] = set()
    early: list[str] = []
    for statement in block.group(1).split(";"):
        match = re.search(r"(?:^|\s|\))(\w+)\s*=(?!=)(.*)$", statement, re.DOTALL)
        right = match.group(2) if match else statement
        early += [name for name in re.findall(r"\b[a-zA-Z_]\w*\b", right) if name in declared - assigned]
        if match:
            assigned.add(match.group(1))
    return sorted(set(early))
