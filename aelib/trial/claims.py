"""The trial in one file: what the report claims, in its own words, and by which rule each claim is judged.

Two questions are asked of a claim, and answered apart:

- *Is it so?* One of ``WORDS``, by its ``rule`` from stored runs with the settings of the report's author, in which one
  thing is changed. ``aelib.trial.rules`` computes it.
- *Did the report's evidence show it?* "yes" or "no": whether what its author measured (``evidence``, in his text and in
  his public notebook) decides the claim. It does if the claim holds, and if what he did, done again, leads to the same
  answer in at least nine cases of ten.

A claim is quoted whole: what concedes, hedges or limits it is part of it. The letters are the report's; page and number
are its sections. ``evidence`` is read in the report's text and its author's notebook (GitHub, ospanoff/MMP_magistracy,
folder DL/task1): what it says of them is our reading of a text, and no measurement.
"""

from typing import NamedTuple

WORDS = ("holds", "holds in part", "does not hold", "open")


class Threshold(NamedTuple):
    """A number that a rule compares with.

    Attributes:
        value: the number.
        text: as a sentence says it, with ``{}`` for the number.
        reason: why this number and no other.
    """

    value: float
    text: str
    reason: str


class Claim(NamedTuple):
    """One claim of the report.

    Attributes:
        number: under which the labs speak of it.
        russian: the report's sentence.
        english: a translation.
        section: of the report.
        lab: the number of the lab that decides it.
        rule: when it is so, in words; names in braces are those of ``THRESHOLDS``, ``{most}`` and ``{some}`` the
            quantifier's, ``{parts}`` stands for ``PARTS``.
        thresholds: the keys of ``THRESHOLDS`` on which it rests.
        evidence: what the report measured for it.
    """

    number: int
    russian: str
    english: str
    section: str
    lab: int
    rule: str = ""
    thresholds: tuple = ()
    evidence: str = ""


class Verdict(NamedTuple):
    """What a trial ends with.

    Attributes:
        so: one of ``WORDS``: is it so?
        shown: "yes" or "no": did the report's evidence show it?
        rule: the rule, in a sentence, and whether another threshold would have given another word.
        because: the sentences that give the numbers.
    """

    so: str
    shown: str
    rule: str
    because: str


PARTS = (  # of a claim of several parts, see ``aelib.trial.compare.together``
    "It holds if each of these parts does, in part if at least one does, wholly or in part; it does not if the "
    "contrary is shown of each; else it is open."
)
MOST = "nine tenths of the seeds or more"  # the one quantifier, see ``aelib.trial.compare.quantified``
SOME = "fewer, but more than one tenth"

THRESHOLDS = {
    "exact": Threshold(1e-14, "{:g}", "the accuracy that the report names"),
    "rise": Threshold(
        0.5,
        "{:g}",
        "just above 0.43, by which two runs of one configuration differ in the author's notebook (16.89 and 16.46)",
    ),
    "jump": Threshold(5.0, "{:g}", "ten times the rise that counts as unstable: what is seen on an axis from 15 to 70"),
    "share": Threshold(0.5, "{:.0%}", "half: the greater part of the gap would then be a matter of time"),
    "near": Threshold(
        1.6, "{:g}", "what a third number in the code is worth to a linear net: PCA-2 has 21.82, PCA-3 20.23"
    ),
    "alike": Threshold(
        0.5, "{:g}", "the rise that counts as unstable: what two runs of one configuration may differ by"
    ),
    "late": Threshold(5, "{:g}", "the report says 16 epochs, and several: less than that is not several"),
    "awake": Threshold(1.0, "{:g}", "one of the 26 that the mean image's loss is, and more than a rise that is noise"),
    "found": Threshold(0.5, "{:g}", "halfway between 0, clusters drawn at random, and 1, the ten digits"),
    "guess": Threshold(0.1, "{:.0%}", "as often as whoever guesses names one digit of ten"),
    "halved": Threshold(0.5, "{:.0%}", "half: the greater part of the overlap would then be due to likeness"),
}

AUTHOR = {  # what the author's own evidence consists of: figure 5 and his notebook
    "judge's step": 1e-8,
    "cosine": 0.592,
    "epochs": 33,
    "steps": (1e-2, 1e-3, 1e-4, 1e-5),
    "batches": (100, 500, 1000, 5000, 10_000),
}

_LIST = (
    Claim(
        number=1,
        section="3.1",
        lab=2,
        russian="Градиент функции потерь считается с точностью до 10^{-14}: косинусное расстояние от численно "
        "вычисленного градиента до градиента, полученного автокодировщиком равняется 1",
        english="The gradient of the loss is computed to an accuracy of 10^-14: the cosine distance from the "
        "numerically computed gradient to the gradient obtained by the autoencoder equals 1.",
        rule="The author's test is made again with this lab's passes, 50 seeds; the judge is a complex step. It "
        "holds if every relative error of p . grad F is at most {exact}, in part if some are. The evidence "
        "shows it if his judge, of step 1e-8, errs by no more than that itself.",
        thresholds=("exact",),
        evidence="One number, p . grad F, against the complex step of length 1e-8 along a p of norm 66 (his notebook):"
        " 7e-14 apart.",
    ),
    Claim(
        number=2,
        section="3.1",
        lab=2,
        russian="Гессиан функции потерь умноженный на вектор считается с точностью до 10^{-14}: косинусное расстояние"
        " от численно вычисленного произведения до произведения, полученного автокодировщиком равняется 1",
        english="The Hessian of the loss times a vector is computed to an accuracy of 10^-14: the cosine distance "
        "from the numerically computed product to the product obtained by the autoencoder equals 1.",
        rule="As for claim 1, with the relative error of the vector Hp against the complex step of the gradient.",
        thresholds=("exact",),
        evidence="The whole vector against the complex step of length 1e-8 of the gradient (his notebook): entries up "
        "to 7e-13 apart, |cosine| 1 to 2e-16.",
    ),
    Claim(
        number=3,
        section="3.1",
        lab=2,
        russian="Гаусс-Ньютоновская аппроксимация гессиана функции потерь умноженная на вектор считается не точно: "
        "косинусное расстояние от численно вычисленного произведения до произведения, полученного "
        "автокодировщиком равняется 0.6",
        english="The Gauss-Newton approximation of the Hessian of the loss times a vector is not computed accurately:"
        " the cosine distance from the numerically computed product to the product obtained by the "
        "autoencoder equals 0.6.",
        rule="The same test. It holds if every relative error of Gp against J^T (J p) / n is above {exact}, in "
        "part if some are. A cosine with Hp, the product of another matrix, shows it if a right Gp does not "
        "score 0.6 too.",
        thresholds=("exact",),
        evidence="One |cosine| of Gp with Hp, 0.592 (his notebook).",
    ),
    Claim(
        number=4,
        section="3.2",
        lab=3,
        russian="Из графика 2 видно, что методы оптимизации ведут себя не стабильно.",
        english="Figure 2 shows that the optimization methods behave unstably. (On 784-2-784.)",
        rule="A run is unstable if its test loss rises by more than {rise} from one epoch to the next after epoch 3. "
        "For each method: unstable in {most}, in part in {some}. {parts}",
        thresholds=("rise",),
        evidence="Figure 2: one run of each method.",
    ),
    Claim(
        number=5,
        section="3.2 and 4",
        lab=3,
        russian="Это скорее всего связано с тем, что модель резко сжимает пространство (с 784 до 2), что приводит к "
        "неустойчивости. [...] Не стоит резко сжимать пространство",
        english="This [unstable behaviour] is most likely due to the model compressing the space sharply (from 784 to"
        " 2), which leads to instability. [...] One should not compress the space sharply.",
        rule="Two nets of five layers, one narrowing at once (784-2-2-2-784) and one gradually (784-200-2-200-784), "
        "with the same activations, methods, seeds. For each method: more runs of the net that narrows at once "
        "fail, that is, end above the mean image's loss (exact sign test on the pairs of seeds of which one "
        "fails); where that decides nothing, the largest rise of a run (as in claim 4) is smaller where it "
        "narrows gradually, in pairs of seeds both of which learn (Student's t). Each at 5 %, Holm over all these "
        "tests. {parts}",
        thresholds=(),
        evidence="Figures 2 and 3: two nets that differ in depth, width and activations too, one run of each method.",
    ),
    Claim(
        number=6,
        section="3.2",
        lab=3,
        russian="В случае с первой архитектурой выход является нечетким, т.к. методы не сошлись за отведенное "
        "количество итераций.",
        english="With the first architecture the output is blurred, since the methods had not converged in the given "
        "number of iterations.",
        rule="784-2-784 is given what it is said to want, more time: with Adam, 200 epochs on a cosine in the place of "
        "the author's 33 at a constant step. It holds if that closes at least {share} of the gap from his mean "
        "loss to that of the repaired net, which has an output bias, in {most}; in part in {some}. (33 epochs on "
        "a cosine tell schedule and time apart; they do not decide.)",
        thresholds=("share",),
        evidence="Figure 2 and table 1: runs of 33 epochs and no longer one.",
    ),
    Claim(
        number=7,
        section="3.2",
        lab=3,
        russian="Также видно, что они работают примерно одинаково, но метод ADAM сходится быстрее.",
        english="It is also seen that they work about equally, but ADAM converges faster. (On 784-200-2-200-784.)",
        rule="784-200-2-200-784. About equal: of the three differences of final losses each is so if its 95 % interval "
        "(pairs of seeds, Student's t) lies within +-{near}, and not if it lies wholly outside. Faster: Adam's "
        "test loss, a straight line between two logged moments, is below 19, 18 and 17 after fewer updates than "
        "each other method's (their ratio, pairs of seeds, Student's t at 5 %, Holm over the six). {parts}",
        thresholds=("near",),
        evidence="Figure 3: one run of each method.",
    ),
    Claim(
        number=8,
        section="3.2",
        lab=3,
        russian="И начал существенно сходиться только с 16 эпохи, но к концу теста все же сошелся к другим методам. "
        "[...] Также была замечена тенденция, что при больших количествах слоев, метод SGD настраивается не "
        "сразу, а спустя несколько эпох.",
        english="And [SGD] began to converge substantially only from epoch 16, but by the end of the test it had "
        "converged to the other methods all the same. [...] A tendency was also noticed that with large "
        "numbers of layers SGD does not adjust at once, but after several epochs.",
        rule="SGD starts late if it is first seen {awake} below the mean image's loss only after more than {late} "
        "epochs in the net of seven layers and within {late} in the two others, in {most}; in part in {some}. It "
        "has come up with another method if the 95 % interval of the difference of final losses (pairs of seeds) "
        "ends below {near}, and has not if it begins above. {parts}",
        thresholds=("late", "awake", "near"),
        evidence="Figures 2 to 4: one run of SGD on each net.",
    ),
    Claim(
        number=9,
        section="3.2",
        lab=3,
        russian="В этом случае так же ADAM сходится быстрее и ведет себя устойчиво.",
        english="In this case, too, ADAM converges faster and behaves stably. (On 784-400-200-2-200-400-784.)",
        rule="784-400-200-2-200-400-784. Faster: as in claim 7. Stable: Adam's test loss rises by no more than {rise} "
        "from one epoch to the next after epoch 3, in {most}; in part in {some}. {parts}",
        thresholds=("rise",),
        evidence="Figure 4: one run of each method.",
    ),
    Claim(
        number=10,
        section="3.2",
        lab=3,
        russian="Также видно, что методы SGD и ADAM сработали лучше для второй архитектуры, а ADAM и RMSprop – для "
        "третьей архитектуры.",
        english="It is also seen that SGD and ADAM worked better for the second architecture, and ADAM and RMSprop "
        "for the third.",
        rule="Final losses, pairs of seeds: SGD and Adam each below RMSprop on 784-200-2-200-784, Adam and RMSprop "
        "each below SGD on 784-400-200-2-200-400-784 (Student's t at 5 %, Holm over the four). {parts}",
        thresholds=(),
        evidence="Table 1: the pictures of one digit, from one run of each.",
    ),
    Claim(
        number=11,
        section="4",
        lab=3,
        russian="Метод ADAM работает в среднем лучше других опробованных методов",
        english="ADAM works better on average than the other methods tried.",
        rule="Final losses averaged over the three nets, seed by seed: Adam's is below SGD's and below RMSprop's "
        "(pairs of seeds, Student's t at 5 %, Holm over the two). {parts}",
        thresholds=(),
        evidence="Figures 2 to 4: one run of each method on each net.",
    ),
    Claim(
        number=12,
        section="3.3",
        lab=4,
        russian="Из графиков можно понять, что длина шага 0.01 и размер батчей в 100 элементов являются оптимальными.",
        english="From the figures one can see that a step of 0.01 and batches of 100 elements are optimal.",
        rule="Step 0.01 with batch 100 is optimal if its final loss is below that of each of the author's seven other "
        "settings, and below that of each neighbour (steps 0.02, 0.005, 0.003; batches 50, 200; nothing else "
        "changed): pairs of seeds, Student's t at 5 %, Holm over the seven and over the five. {parts}",
        thresholds=(),
        evidence="Figure 5: four steps and five batches, one run of each. Both best values stand at the edge of what "
        "was tried.",
    ),
    Claim(
        number=13,
        section="3.3",
        lab=4,
        russian="Также видно, что чем больше количество батчей, тем медленнее сходится метод. На 10000 батчей даже "
        "видно подскок в значении функции потерь.",
        english="It is also seen that the larger the number of batches [their size is meant], the slower the method "
        "converges. At 10000 batches one even sees a jump in the value of the loss.",
        rule="Slower: of the batches 100, 500, 1,000, 5,000, 10,000 each next has a higher loss after equally many "
        "epochs, 15, and after equally many updates, 50 (without 10,000, which makes 45) and 200 (without 5,000, "
        "which makes 90): pairs of seeds, Student's t at 5 %, Holm over each series. A jump: at 10,000 the test "
        "loss rises by more than {jump} in one update after epoch 3, in {most}; in part in {some}. {parts}",
        thresholds=("jump",),
        evidence="Figure 5: one run of each batch, compared after equally many epochs.",
    ),
    Claim(
        number=14,
        section="3.3",
        lab=4,
        russian="Более точный анализ значений не требуется, т.к. размер шага в маленькой окрестности 0.01 не особо "
        "повлияет на скорость сходимости, как и количество батчей.",
        english="A more exact analysis of the values is not needed, since the step in a small neighbourhood of 0.01 "
        "will not much affect the speed of convergence, nor will the number of batches.",
        rule="Steps 0.005 and 0.02 and batches 50 and 200 are within a factor of 2 of his best. One of them does not "
        "matter if the 95 % interval of its final loss less that of step 0.01, batch 100 (pairs of seeds, "
        "Student's t) lies within +-{alike}; it matters if that interval lies wholly outside; else this is open. "
        "{parts} By speed is meant how far 15 epochs lead, which is what figure 5 compares.",
        thresholds=("alike",),
        evidence="Figure 5: nothing near was tried: his steps are a factor of 10 apart, the batch next to 100 a factor"
        " of 5.",
    ),
    Claim(
        number=15,
        section="3.4",
        lab=5,
        russian="Четко видно, что объекты кластеризуются. [...] Большая часть остальных классов расположены отдельно,"
        " но где-то накладываются по той же причине.",
        english="It is clearly seen that the objects cluster. [...] Most of the other classes lie apart, but in "
        "places they overlap for the same reason.",
        rule="His net with his settings, 33 epochs. Clusters: a method that is not told the digits (k-means with "
        "10 means on the codes, the same on whitened codes, or HDBSCAN with clusters of 50 or more) finds "
        "them again with an adjusted Rand index of at least {found}. Apart: of the eight digits beside 3 and "
        "5 more than half are named as some other digit by kNN (15 neighbours) in at most {guess} of cases, "
        "and some other digit is named as them in at most that. Each in {most}; in part in {some}.",
        thresholds=("found", "guess"),
        evidence="Figure 6: one map, coloured by the digits, of a net trained on all the images that it shows.",
    ),
    Claim(
        number=16,
        section="3.4",
        lab=5,
        russian="Также можно заметить, что кластера 3 и 5 накладываются друг на друга. Это объясняется тем, что цифры"
        " похожи в написании.",
        english="One can also notice that the clusters 3 and 5 overlap. This is explained by the digits being written"
        " alike.",
        rule="Overlap: kNN (15 neighbours) names more than {guess} of the threes 5, or of the fives 3, in {most}; in "
        "part in {some}. Explained by likeness: with every 5 turned by a quarter, which makes it unlike the 3, as "
        "all other digits, and changes no other image, the share of 3 and 5 taken for one another falls to less "
        "than {halved} of what it was (pairs of seeds, Student's t at 5 %). {parts}",
        thresholds=("guess", "halved"),
        evidence="Figure 6: one map. Nothing was changed in order to test the reason.",
    ),
)
CLAIMS = {claim.number: claim for claim in _LIST}
