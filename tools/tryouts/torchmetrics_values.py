"""Metrics of `torchmetrics` on random predictions."""

import torch
import torchmetrics as tm

torch.manual_seed(0)
scores, labels = torch.randn(30, 4).softmax(1), torch.randint(4, (30,))
three = {"task": "multiclass", "num_classes": 4}
for kind in (tm.Accuracy, tm.Precision, tm.Recall, tm.F1Score, tm.AUROC, tm.ConfusionMatrix,
             tm.CohenKappa, tm.MatthewsCorrCoef, tm.CalibrationError, tm.AveragePrecision,
             tm.Specificity, tm.JaccardIndex, tm.HammingDistance):  # fmt: skip
    metric = kind(**three)
    for part in range(0, 30, 10):
        metric.update(scores[part : part + 10], labels[part : part + 10])
    print(kind.__name__, " ".join(f"{float(v):.5f}" for v in metric.compute().flatten()))
a, b = torch.randn(30), torch.randn(30)
for kind in (tm.MeanSquaredError, tm.MeanAbsoluteError, tm.R2Score, tm.PearsonCorrCoef,
             tm.SpearmanCorrCoef, tm.ExplainedVariance, tm.KendallRankCorrCoef,
             tm.ConcordanceCorrCoef):  # fmt: skip
    print(kind.__name__, f"{float(kind()(a, b)):.5f}")
print(f"CosineSimilarity {float(tm.CosineSimilarity()(a.view(10, 3), b.view(10, 3))):.5f}")
p, q = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
for metric in (tm.image.PeakSignalNoiseRatio(1.0), tm.image.StructuralSimilarityIndexMeasure(),
               tm.image.TotalVariation(), tm.image.UniversalImageQualityIndex()):  # fmt: skip
    values = (p,) if isinstance(metric, tm.image.TotalVariation) else (p, q)
    print(type(metric).__name__, f"{float(metric(*values)):.5f}")
both = tm.MetricCollection([tm.Accuracy(**three), tm.F1Score(**three)])
print({k: f"{float(v):.5f}" for k, v in both(scores, labels).items()})
print(f"{float(tm.text.WordErrorRate()(['a b c'], ['a b d'])):.5f}")
