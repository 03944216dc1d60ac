"""Why a model refuses what it refuses."""
