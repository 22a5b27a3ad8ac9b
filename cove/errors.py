"""Errors whose text is one clear sentence for the person who caused them."""


class CoveError(Exception):
    """The base of all errors that a person can cause and mend."""


class SettingsError(CoveError):
    """A setting has an unknown name or a value that its rule forbids."""


class DataError(CoveError):
    """A data file is missing, malformed, or holds nothing that can be used."""


class ArtifactError(CoveError):
    """An artifact directory is missing, incomplete, altered or foreign."""
