"""The built-in model, version 1 of every new database."""

from datetime import timedelta

from scoring_service.domain.model import Decay, NextAction, Rule, ScoringModel, Stage, Velocity

BUILT_IN = ScoringModel(
    version=1,
    rules=(
        Rule("page_view", "page_view", 5),
        Rule("download", "download", 10),
        Rule("signup", "signup", 20),
        Rule("demo_request", "demo_request", 50),
        Rule("contract_signed", "contract_signed", 100),
        Rule("unsubscribe", "unsubscribe", -20),
    ),
    score_floor=0,
    score_ceiling=10_000,
    stages=(Stage("cold", 0), Stage("warm", 11), Stage("hot", 31), Stage("qualified", 60)),
    decay=Decay(grace=timedelta(days=7), percent_per_day=5),
    velocity=Velocity(window=timedelta(hours=24), weight=3),
    idle=timedelta(days=7),
    next_actions=(
        NextAction("immediate_outreach", stages=("qualified",), minimum_velocity=1),
        NextAction("prioritize_contact", stages=("hot",), minimum_velocity=9, risk="low"),
        NextAction("schedule_demo", stages=("hot",), risk="low"),
        NextAction("re_engage", stages=("warm", "hot", "qualified"), risk="high"),
        NextAction("nurture_campaign", stages=("warm",)),
        NextAction("monitor"),
    ),
    churn_stages=("hot", "qualified"),
)
