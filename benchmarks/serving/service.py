"""A small HTTP service around the ONNX file of a student.

Needs FastAPI, uvicorn and the extra `serve`. A request is a JSON object of columns, the
answer one list of probabilities a row, in the order of `classes_`:

    pip install fastapi uvicorn
    MODEL=student.onnx uvicorn benchmarks.serving.service:app
    curl localhost:8000/predict_proba -H "Content-Type: application/json" \
        -d '{"age": [39], "education": ["Bachelors"]}'
"""

import os

from fastapi import FastAPI, HTTPException

from skdistill.export import OnnxClassifier

#: A longer request would let the others wait.
MOST_ROWS = 1000

app = FastAPI()
served = OnnxClassifier(os.environ["MODEL"])


@app.post("/predict_proba")
def predict_proba(columns: dict[str, list]) -> list[list[float]]:
    """Called in a pool of threads, which share one session."""
    if max(map(len, columns.values()), default=0) > MOST_ROWS:
        raise HTTPException(413, f"A request has at most {MOST_ROWS} rows.")
    try:
        return served.predict_proba(columns).tolist()
    except (TypeError, ValueError) as error:
        # What is wrong with the columns, as scikit-learn says it.
        raise HTTPException(422, str(error)) from error
