"""One family of workloads a module; ALL lists them in the order of the tables."""

from benchmarks.workloads import (
    attention,
    classifier_mlp,
    curve,
    lecture,
    lenet,
    logistic,
    logsumexp,
    lstm,
    mixture,
    newton,
    regression_mlp,
    rosenbrock,
)

ALL = {
    w.name: w
    for w in (
        lecture.LECTURE,
        regression_mlp.SMALL,
        regression_mlp.MEDIUM,
        classifier_mlp.MLP_784,
        classifier_mlp.MLP_1024,
        curve.CURVE_F64,
        curve.CURVE_F32,
        lenet.LENET,
        lstm.LSTM,
        attention.BLOCK,
        mixture.MIXTURE,
        logsumexp.VECTOR,
        logsumexp.ROWS,
        logistic.LOGISTIC,
        regression_mlp.TINY,
        rosenbrock.TWO,
        rosenbrock.THOUSAND,
        newton.NEWTON,
    )
}
