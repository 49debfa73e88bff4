"""Fixed tests of a student, and what may be concluded from them."""

from teachrl.evaluation.evaluating import Evaluation, evaluate
from teachrl.evaluation.test_sets import TestSet, default_test_set

__all__ = ["Evaluation", "TestSet", "default_test_set", "evaluate"]
