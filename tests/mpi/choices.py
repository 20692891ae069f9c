"""What a system can be told, from `engram list SYSTEM`, against what cases of a test use."""
import re


def missing(text, cases, untested=(), least=(20, 25)):
    """Kinds and choices of the listing that no case uses. @param cases [{section: {key: value}}] @param untested {(section, key, choice)}"""
    section, variant, wanted, kinds, choices, first = None, None, [], 0, 0, {}
    for line in text.splitlines():
        if match := re.match(r"(\w+): ", line):
            section, variant = match.group(1), None
        elif match := re.match(r"  (kind|model|rule): (\w+)", line):
            selector, variant = match.groups()
            first.setdefault(section, variant)
            kinds += 1
            if not any(keys.get(section, {}).get(selector, first[section]) == variant for keys in cases):
                wanted.append(f"{section}.{selector}: {variant}")
        elif match := re.match(r"    (\w+) +(?:choice|texts) +- +(\S+) +(\w+(?: \| \w+)*)  ", line):
            key, default, allowed = match.groups()
            for choice in allowed.split(" | "):
                choices += 1
                if (section, key, choice) not in untested and not any(str(keys.get(section, {}).get(key, default)) == choice for keys in cases):
                    wanted.append(f"{section}.{key}: {choice}")
    assert kinds >= least[0] and choices >= least[1], f"the listing was not understood: {kinds} kinds, {choices} choices"
    return wanted
