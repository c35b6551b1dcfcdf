"""Slot source of word problems: small stories with numbers, in a few languages."""

from __future__ import annotations

from streams.traffic.grammar import Context, expand

STORIES = {
    "en": (
        "{name} packs {a} boxes with {b} jars each and drops {c} jars. How many jars are left?",
        (
            "A tram leaves {city} every {b} minutes. {name} just missed one after waiting {c}"
            " minutes in all for {a} trams. How long does the next {a} departures take?"
        ),
        (
            "The area of a rectangle is {ab} square metres and one side is {a} metres. Find "
            "its perimeter."
        ),
        (
            "{name} saves {a} euros in the first week and {c} euros more in each following "
            "week. How much is it after {b} weeks?"
        ),
        "Solve for x: {a}x + {c} = {sum}.",
        (
            "A tank holds {ab} litres. Pump one empties {a} litres a minute, pump two {b}. "
            "How long do both take?"
        ),
        "In a class of {sum} pupils {a} play chess and {b} sing; {c} do both. How many do neither?",
        "Find the remainder of {a}^{b} divided by {c}.",
        "Two dice with {a} and {b} sides are thrown. What is the chance that the sum exceeds {c}?",
        (
            "{name} walks at {b} km/h towards {city}, {ab} km away; after {c} km the pace "
            "drops by half. When does {name} arrive?"
        ),
        "How many ways are there to choose {c} people from {sum} so that {name} is among them?",
        "Let f(n) = {a}n - {b}. For which n does f(f(n)) equal {ab}?",
        (
            "A shop cuts a price of {ab} euros by {c} per cent and later adds {b} per cent. "
            "What is it now?"
        ),
        "The sum of {c} consecutive integers is {ab}. Which is the smallest, if they exist?",
        (
            "{name} mixes {a} g of a {b} % salt solution with {c} g of water. What is the new"
            " percentage?"
        ),
    ),
    "zh": (
        "{name}有{a}箱苹果，每箱{b}个，送出{c}个，还剩多少个？",
        "解方程：{a}x + {c} = {sum}。",
        "一个长方形面积是{ab}平方米，一边长{a}米，求周长。",
        "水池容量{ab}升，甲管每分钟放{a}升，乙管放{b}升，同时打开要多久放完？",
        "从{sum}人中选{c}人，{name}必须入选，有多少种选法？",
        "商品原价{ab}元，先降{c}%，再涨{b}%，现价多少？",
        "求{a}的{b}次方除以{c}的余数。",
    ),
    "de": (
        "{name} füllt {a} Kisten mit je {b} Gläsern, {c} zerbrechen. Wie viele bleiben?",
        "Löse: {a}x + {c} = {sum}.",
        "Ein Rechteck hat {ab} Quadratmeter, eine Seite ist {a} m lang. Wie groß ist der Umfang?",
        "Ein Preis von {ab} Euro sinkt um {c} % und steigt dann um {b} %. Wie hoch ist er?",
        "Aus {sum} Leuten werden {c} gewählt, {name} ist dabei. Wie viele Möglichkeiten gibt es?",
    ),
    "ru": (
        "У {a} ящиков по {b} банок, разбилось {c}. Сколько банок осталось?",
        "Решите уравнение: {a}x + {c} = {sum}.",
        "Площадь прямоугольника {ab} кв. м, одна сторона {a} м. Найдите периметр.",
        "Цена {ab} рублей упала на {c} %, затем выросла на {b} %. Какова цена теперь?",
    ),
    "es": (
        "{name} llena {a} cajas de {b} tarros y rompe {c}. ¿Cuántos quedan?",
        "Resuelve: {a}x + {c} = {sum}.",
        "Un rectángulo mide {ab} metros cuadrados y un lado {a} metros. Calcula el perímetro.",
        "Un precio de {ab} euros baja un {c} % y luego sube un {b} %. ¿Cuánto es?",
    ),
    "ja": (
        "{name}さんは{b}個入りの箱を{a}箱持っていて、{c}個配った。残りはいくつ？",
        "方程式 {a}x + {c} = {sum} を解け。",
        "面積{ab}平方メートル、一辺{a}メートルの長方形の周の長さは？",
        "定価{ab}円を{c}%引きにし、その後{b}%上げた。いくらか。",
    ),
}


def math_problem(context: Context) -> str:
    """A word problem; English where the language has none."""
    stories = STORIES.get(context.lexicon.lang) or STORIES["en"]
    story = stories[context.pick(len(stories))]
    a, b, c = (3 + context.pick(57), 2 + context.pick(28), 2 + context.pick(19))
    return story.format(
        a=a,
        b=b,
        c=c,
        ab=a * b,
        sum=a + b + c + context.pick(40),
        name=expand("name", context).split()[0],
        city=expand("city", context),
    )
