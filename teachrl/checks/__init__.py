"""What every teacher and every environment promises, checked: for ours, and for your own."""

from teachrl.checks.contract import ContractError
from teachrl.checks.environments import check_env
from teachrl.checks.teachers import check_teacher

__all__ = ["ContractError", "check_env", "check_teacher"]
