"""What every test process needs before anything is imported."""

import os

# One thread per process (see integration of torch on busy cores), and no window anywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
