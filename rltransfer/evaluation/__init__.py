"""Returns of episodes: summaries, comparisons and the metrics of transfer."""

from rltransfer.evaluation.aggregate import Censored as Censored
from rltransfer.evaluation.aggregate import Estimate as Estimate
from rltransfer.evaluation.aggregate import Scores as Scores
from rltransfer.evaluation.aggregate import aggregate_iqm as aggregate_iqm
from rltransfer.evaluation.aggregate import censored_iqm as censored_iqm
from rltransfer.evaluation.aggregate import censored_median as censored_median
from rltransfer.evaluation.aggregate import harm_rate as harm_rate
from rltransfer.evaluation.aggregate import (
    probability_of_improvement as probability_of_improvement,
)
from rltransfer.evaluation.comparison import Comparison as Comparison
from rltransfer.evaluation.comparison import beats as beats
from rltransfer.evaluation.comparison import beats_by_rank as beats_by_rank
from rltransfer.evaluation.comparison import difference_interval as difference_interval
from rltransfer.evaluation.comparison import episodes_needed as episodes_needed
from rltransfer.evaluation.curves import LearningCurve as LearningCurve
from rltransfer.evaluation.curves import TransferMetrics as TransferMetrics
from rltransfer.evaluation.curves import normalised as normalised
from rltransfer.evaluation.curves import transfer_metrics as transfer_metrics
from rltransfer.evaluation.summary import ReturnSummary as ReturnSummary
from rltransfer.evaluation.summary import interquartile_mean as interquartile_mean
from rltransfer.evaluation.summary import summarise as summarise
