"""Many runs at once, on one machine or on many."""

from teachrl.campaigns.campaign import Campaign
from teachrl.campaigns.engines import ENGINES, Engine
from teachrl.campaigns.specs import RunSpec
from teachrl.campaigns.supervision import CampaignError

__all__ = ["ENGINES", "Campaign", "CampaignError", "Engine", "RunSpec"]
