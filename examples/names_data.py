"""Family names by language: from a directory of text files, or from the Faker package.

A directory holds one file per language (`Finnish.txt`), one name a line, in UTF-8. Faker carries
real family names of many countries. Used by classify_names.py.
"""

import importlib
import os
import unicodedata

LETTERS = "abcdefghijklmnopqrstuvwxyz '-"
_MOST_PER_LANGUAGE = 400  # keeps the classes of the built-in data about equally large
_FAKER = {  # language -> (locale, attribute)
    "Chinese": ("zh_TW", "last_romanized_names"),
    "Croatian": ("hr_HR", "last_names"),
    "Dutch": ("nl_NL", "last_names"),
    "English": ("en_GB", "last_names"),
    "Estonian": ("et_EE", "last_names"),
    "Finnish": ("fi_FI", "last_names"),
    "French": ("fr_FR", "last_names"),
    "German": ("de_DE", "last_names"),
    "Italian": ("it_IT", "last_names"),
    "Slovak": ("sk_SK", "last_names_male"),
    "Spanish": ("es_ES", "last_names"),
    "Zulu": ("zu_ZA", "last_names_male"),
}


def to_ascii(name):
    """Lower case, accents dropped, every other character that is not in LETTERS left out."""
    plain = unicodedata.normalize("NFD", name.strip().lower())
    return "".join(c for c in plain if c in LETTERS)


def load_names(directory):
    """{language: sorted distinct names}; from Faker if `directory` is None."""
    raw = _from_faker() if directory is None else _from_directory(directory)
    names = {}
    for language in sorted(raw):
        names[language] = sorted({to_ascii(name) for name in raw[language]} - {""})
        if len(names[language]) < 2:
            raise ValueError(f"{language}: needs at least two names, found {len(names[language])}")
    if len(names) < 2:
        raise ValueError(f"needs at least two languages, found {sorted(names)}")
    return names


def _from_directory(directory):
    raw = {}
    for file_name in sorted(os.listdir(directory)):
        language, extension = os.path.splitext(file_name)
        if extension == ".txt":
            with open(os.path.join(directory, file_name), encoding="utf-8") as file:
                raw[language] = file.read().splitlines()
    return raw


def _from_faker():
    raw = {}
    for language, (locale, attribute) in _FAKER.items():
        provider = importlib.import_module(f"faker.providers.person.{locale}").Provider
        names = sorted(getattr(provider, attribute))
        step = max(1, len(names) / _MOST_PER_LANGUAGE)
        raw[language] = [names[int(i * step)] for i in range(int(len(names) / step))]
    return raw
