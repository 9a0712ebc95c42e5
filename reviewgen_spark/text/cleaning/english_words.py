"""Lists common words that distinguish English from other languages in Latin letters.

The lists are hand-written: the most common function words of each language, and for English the words of short
reviews. A word of several lists (on, was) is used in only one of them.
"""

from functools import lru_cache

_ENGLISH = """
the of and to a in is it i that this for you with my was as are be have not on but they at he so his if or we an from
had were has all will by there which when what their one just like very would them me can your out about up more
no get good great love loved really well much do don't didn't doesn't isn't wasn't it's i'm i've can't won't too only
than after some use used using because time other these been also how its could even product work works worked easy
buy bought buying price quality nice perfect excellent amazing awesome best better bad worst terrible horrible poor
awful ok okay fine happy disappointed recommend recommended size fit fits color comfortable small large big little
day days week month year years first two three made make makes look looks feel feels say said she her our us did does
cheap expensive money worth waste broke broken return returned refund stars star shipping delivery arrived fast slow
quick phone case battery screen sound book read reading story movie game app service customer order ordered item
thing things never always ever still back again over before now new old off any most same then where while who why
want wanted need needed got going go think thought know see tried try give gave bit lot lots think cute pretty soft
super wow thanks thank please highly definitely absolutely simply quite exactly expected described however although
though another every many few enough both through down into around since until without under between being having
hard cool beautiful dress shirt shoes fabric material shop store seller hotel room food clean dirty staff friendly
location night stay stayed breakfast place people kids son daughter wife husband gift christmas birthday home house
car computer laptop keyboard mouse screen cable charger camera picture pictures video music radio watch light
water bottle bag box package packaging item quality problem problems issue issues stopped working doesn't support
yes lol omg hi hello cannot should might must may them myself himself something anything nothing everything someone
everyone last next long short high low right left top bottom both almost already yet together far less least half
whole own different easily fun funny boring interesting smell smells taste tastes hate hated dislike liked
likes enjoy enjoyed useless useful garbage junk crap trash scam fake real true false poorly properly
call called crappy solid sturdy flimsy durable decent average mediocre fantastic wonderful superb brilliant lovely sweet
thin thick heavy tight loose wide narrow hot cold warm dry wet loud quiet bright dark pleased satisfied
unhappy impressed overpriced affordable value deal bargain purchase purchased return seems seemed run runs running
keep keeps kept put set came come comes went find found bad wish hope hoping believe guess sure wrong
"""

_OTHERS = """
le la les des une et est pas que qui pour dans sur avec ce cette je il elle nous vous ils très bien mais sont plus
tout bon bonne produit qualité merci livraison rapide c'est j'ai n'est qu'il ça mon ma mes son sa ses au aux du être
avoir fait der das und ist nicht ich ein eine einen mit für auf den dem von zu sehr gut aber auch wie sich es wir sie
er hat habe war sind schnell alles immer noch nur oder wenn schon kann leider produkt qualität lieferung gerne preis
zufrieden el los las un una unos y es no que en por para con su muy bien gusta funciona mal malo sirve nada mucho
llega pero más como esta este todo lo al del se mi bueno buena calidad producto precio gracias excelente recomendado
llegó perfecto está también cuando son fue il lo gli uno di che non è per con sono molto bene ma anche come questo
questa tutto prodotto ottimo qualità prezzo consigliato spedizione veloce della delle nel più mio ho o os uma e é não
em por para com muito bom mas mais como isso este tudo produto qualidade gostei recomendo ótimo chegou do da dos das
na no eu foi de het een en niet ik voor met zeer goed maar ook als zijn deze dit heel mooi snel en och det att som är
på inte jag med för mycket bra og det ikke jeg er som meget god ja nie się na z że jest to bardzo dobry ale polecam
produkt jak ve bir bu çok iyi için değil ama güzel ürün yang dan tidak ini itu di dengan untuk saya bagus sangat
barang sesuai cepat terima kasih produk và là của không có cho rất tốt hàng này được giao pham khong duoc nhanh đẹp lắm
ang ng sa mga ko siya
maganda salamat po hen hao bu cuo zhen xihuan tai le wo shi zhe ge dongxi piaoliang manyi kuai desu arigatou totemo
"""

# Common English words that are also in the other lists. They count as English, because English is much more common in
# this project's input.
_SHARED = "no so in is it that was not on he an as at more man hat to or all a i we real us do"

OTHER_LATIN = frozenset(_OTHERS.split()) - frozenset(_SHARED.split())
ENGLISH = frozenset(_ENGLISH.split()) - OTHER_LATIN


@lru_cache(maxsize=1)
def english_pairs() -> frozenset[str]:
    """Returns the letter pairs that at least three English words contain, to recognise unknown English words.

    >>> "th" in english_pairs(), "zx" in english_pairs()
    (True, False)
    """
    words_by_pair: dict[str, int] = {}
    for word in ENGLISH:
        for pair in {word[i : i + 2] for i in range(len(word) - 1)}:
            words_by_pair[pair] = words_by_pair.get(pair, 0) + 1
    return frozenset(pair for pair, words in words_by_pair.items() if words >= 3 and pair.isalpha())
