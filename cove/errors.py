"""Errors whose text is one clear sentence for the person who caused them."""


class CoveError(Exception):
    """The base of all errors that a person can cause and mend."""


class SettingsError(CoveError):
    """A setting has an unknown name or a value that its rule forbids."""


def missing_extra(what: str, extra: str, error: ImportError) -> SettingsError:
    """The error of whoever asks for `what` without the extra that it needs."""
    return SettingsError(
        f"{what} needs the extra `{extra}` (no module {error.name}): "
        f"pip install 'cove-recommender[{extra}]'"
    )


class DataError(CoveError):
    """A data file is missing, malformed, or holds nothing that can be used."""


class ArtifactError(CoveError):
    """An artifact directory is missing, incomplete, altered or foreign."""
