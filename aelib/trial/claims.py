"""The report's claims: its own words, a translation, where it says so, and the lab that puts the claim on trial.

A claim is quoted whole: what concedes, hedges or limits it is part of it. The letters are the report's; page and number
are its sections. A ``Verdict`` is a word and the sentence that says by which numbers.
"""

from typing import NamedTuple

VERDICTS = ("holds", "holds in part", "falls", "not shown by its evidence")


class Claim(NamedTuple):
    """One claim of the report.

    Attributes:
        number: under which the labs speak of it.
        russian: the report's sentence.
        english: a translation.
        section: of the report.
        lab: the number of the lab that decides it.
    """

    number: int
    russian: str
    english: str
    section: str
    lab: int


class Verdict(NamedTuple):
    """What a trial ends with.

    Attributes:
        word: one of ``VERDICTS``.
        because: the sentence that gives the numbers.
    """

    word: str
    because: str


_LIST = (
    Claim(
        1,
        "Градиент функции потерь считается с точностью до 10^{-14}: косинусное расстояние от численно вычисленного "
        "градиента до градиента, полученного автокодировщиком равняется 1",
        "The gradient of the loss is computed to an accuracy of 10^-14: the cosine distance from the numerically "
        "computed gradient to the gradient obtained by the autoencoder equals 1.",
        "3.1",
        2,
    ),
    Claim(
        2,
        "Гессиан функции потерь умноженный на вектор считается с точностью до 10^{-14}: косинусное расстояние от "
        "численно вычисленного произведения до произведения, полученного автокодировщиком равняется 1",
        "The Hessian of the loss times a vector is computed to an accuracy of 10^-14: the cosine distance from the "
        "numerically computed product to the product obtained by the autoencoder equals 1.",
        "3.1",
        2,
    ),
    Claim(
        3,
        "Гаусс-Ньютоновская аппроксимация гессиана функции потерь умноженная на вектор считается не точно: косинусное "
        "расстояние от численно вычисленного произведения до произведения, полученного автокодировщиком равняется 0.6",
        "The Gauss-Newton approximation of the Hessian of the loss times a vector is not computed accurately: the "
        "cosine distance from the numerically computed product to the product obtained by the autoencoder equals 0.6.",
        "3.1",
        2,
    ),
    Claim(
        4,
        "Из графика 2 видно, что методы оптимизации ведут себя не стабильно.",
        "Figure 2 shows that the optimization methods behave unstably. (On 784-2-784.)",
        "3.2",
        3,
    ),
    Claim(
        5,
        "Это скорее всего связано с тем, что модель резко сжимает пространство (с 784 до 2), что приводит к "
        "неустойчивости. [...] Не стоит резко сжимать пространство",
        "This [unstable behaviour] is most likely due to the model compressing the space sharply (from 784 to 2), "
        "which leads to instability. [...] One should not compress the space sharply.",
        "3.2 and 4",
        3,
    ),
    Claim(
        6,
        "В случае с первой архитектурой выход является нечетким, т.к. методы не сошлись за отведенное количество "
        "итераций.",
        "With the first architecture the output is blurred, since the methods had not converged in the given number "
        "of iterations.",
        "3.2",
        3,
    ),
    Claim(
        7,
        "Также видно, что они работают примерно одинаково, но метод ADAM сходится быстрее.",
        "It is also seen that they work about equally, but ADAM converges faster. (On 784-200-2-200-784.)",
        "3.2",
        3,
    ),
    Claim(
        8,
        "И начал существенно сходиться только с 16 эпохи, но к концу теста все же сошелся к другим методам. [...] "
        "Также была замечена тенденция, что при больших количествах слоев, метод SGD настраивается не сразу, а спустя "
        "несколько эпох.",
        "And [SGD] began to converge substantially only from epoch 16, but by the end of the test it had converged to "
        "the other methods all the same. [...] A tendency was also noticed that with large numbers of layers SGD does "
        "not adjust at once, but after several epochs.",
        "3.2",
        3,
    ),
    Claim(
        9,
        "В этом случае так же ADAM сходится быстрее и ведет себя устойчиво.",
        "In this case, too, ADAM converges faster and behaves stably. (On 784-400-200-2-200-400-784.)",
        "3.2",
        3,
    ),
    Claim(
        10,
        "Также видно, что методы SGD и ADAM сработали лучше для второй архитектуры, а ADAM и RMSprop – для третьей "
        "архитектуры.",
        "It is also seen that SGD and ADAM worked better for the second architecture, and ADAM and RMSprop for the "
        "third.",
        "3.2",
        3,
    ),
    Claim(
        11,
        "Метод ADAM работает в среднем лучше других опробованных методов",
        "ADAM works better on average than the other methods tried.",
        "4",
        3,
    ),
    Claim(
        12,
        "Из графиков можно понять, что длина шага 0.01 и размер батчей в 100 элементов являются оптимальными.",
        "From the figures one can see that a step of 0.01 and batches of 100 elements are optimal.",
        "3.3",
        4,
    ),
    Claim(
        13,
        "Также видно, что чем больше количество батчей, тем медленнее сходится метод. На 10000 батчей даже видно "
        "подскок в значении функции потерь.",
        "It is also seen that the larger the number of batches [their size is meant], the slower the method converges. "
        "At 10000 batches one even sees a jump in the value of the loss.",
        "3.3",
        4,
    ),
    Claim(
        14,
        "Более точный анализ значений не требуется, т.к. размер шага в маленькой окрестности 0.01 не особо повлияет на "
        "скорость сходимости, как и количество батчей.",
        "A more exact analysis of the values is not needed, since the step in a small neighbourhood of 0.01 will not "
        "much affect the speed of convergence, nor will the number of batches.",
        "3.3",
        4,
    ),
    Claim(
        15,
        "Четко видно, что объекты кластеризуются. [...] Большая часть остальных классов расположены отдельно, но "
        "где-то накладываются по той же причине.",
        "It is clearly seen that the objects cluster. [...] Most of the other classes lie apart, but in places they "
        "overlap for the same reason.",
        "3.4",
        5,
    ),
    Claim(
        16,
        "Также можно заметить, что кластера 3 и 5 накладываются друг на друга. Это объясняется тем, что цифры похожи в "
        "написании.",
        "One can also notice that the clusters 3 and 5 overlap. This is explained by the digits being written alike.",
        "3.4",
        5,
    ),
)
CLAIMS = {claim.number: claim for claim in _LIST}
