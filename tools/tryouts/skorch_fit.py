"""`skorch` fits a classifier within scikit-learn's search."""

import numpy as np
import torch
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetClassifier
from torch import nn

torch.manual_seed(0)
x, y = make_classification(200, 8, n_informative=4, random_state=0)
x, y = x.astype(np.float32), y.astype(np.int64)


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(8, width), nn.ReLU(), nn.Linear(width, 2), nn.Softmax(-1)
        )

    def forward(self, x):
        return self.net(x)


net = NeuralNetClassifier(Net, max_epochs=5, lr=0.1, iterator_train__shuffle=True, verbose=0)
net.fit(x, y)
for row in net.history:
    print(f"train {row['train_loss']:.6f} valid {row['valid_loss']:.6f}")
print(f"score {net.score(x, y):.4f}")
search = GridSearchCV(net, {"module__width": [4, 8]}, cv=2, refit=False)
search.fit(x, y)
print(" ".join(f"{v:.4f}" for v in search.cv_results_["mean_test_score"]))
