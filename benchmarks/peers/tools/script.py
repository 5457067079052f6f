"""The thirty lines of a tutorial: a network of 64 and 32 units, T = 3, alpha = .7."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from sklearn.preprocessing import StandardScaler

from ._task import (
    Outcome,
    Student,
    Task,
    attempt,
    clock,
    count_bytes,
    encode,
    make_vote,
)

REQUIREMENTS = ()
NEEDS = ("torch", "lightgbm")
TEMPERATURE, ALPHA = 3.0, 0.7


def fit(task: Task) -> Iterator[Outcome]:
    yield attempt("MLP 64-32", lambda: distil(task))


def distil(task: Task) -> Student:
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(task.seed)
    with clock() as read:
        X, X_test = encode(task)
        teacher = make_vote(task).fit(X, task.y_train)
        scaler = StandardScaler().fit(X)
        rows = torch.tensor(scaler.transform(X), dtype=torch.float32)
        labels = torch.tensor(task.y_train)
        proba = np.clip(teacher.predict_proba(X), 1e-7, 1)
        soft = torch.tensor(np.log(proba) / TEMPERATURE, dtype=torch.float32)
        soft = soft.softmax(dim=1)
        student = nn.Sequential(
            *(nn.Linear(X.shape[1], 64), nn.ReLU()),
            *(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, task.n_classes)),
        )
        optimizer = torch.optim.Adam(student.parameters(), lr=1e-3)
        for _ in range(2 if task.small else 100):
            for batch in torch.randperm(len(rows)).split(64):
                optimizer.zero_grad()
                logits = student(rows[batch])
                log_q = F.log_softmax(logits / TEMPERATURE, dim=1)
                kl = F.kl_div(log_q, soft[batch], reduction="batchmean")
                hard = F.cross_entropy(logits, labels[batch])
                loss = ALPHA * TEMPERATURE**2 * kl + (1 - ALPHA) * hard
                loss.backward()
                optimizer.step()
        seconds = read()

    def serve(X):
        with torch.no_grad():
            scaled = torch.tensor(scaler.transform(X), dtype=torch.float32)
            return student(scaled).softmax(dim=1).numpy()

    n_bytes = count_bytes((scaler, student))
    return Student("MLP 64-32", serve, X_test, seconds, n_bytes)
