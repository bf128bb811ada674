"""What the generator writes: lines as letters, books, receipts, ledgers and forms hold them.

`line` gives a text of a style; it is NFC, of the default alphabet only, with single spaces. Running
text takes its words from trdg's dictionaries and from the lists below; all else is written by the
grammar below, in which `{name}` stands for one of that name's choices, `{NAME}` for it in capitals,
`{Name}` for it in title case, `{3-40}` for a number in that range and `{#5}` for five digits.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import TypeVar

from numpy.random import Generator, default_rng

from ocrkit.alphabet import DEFAULT_CHARACTERS
from ocrkit.synth.fonts import package_folder

T = TypeVar("T")
_KNOWN = frozenset(DEFAULT_CHARACTERS)

# How often each language is written. The kit's readers have mostly English and French papers.
_LANGUAGES = ("en",) * 8 + ("fr",) * 9 + ("de",) * 3 + ("es",) * 2 + ("it",) * 2 + ("la",)

# The words that half of any running text consists of; a dictionary gives the other half.
_COMMON = {
    "en": """
        the the the the of of of and and and to to in in a a is was that it he for on with as his
        they at be this from I have or by one had not but what all were when we there can an your
        which their said if do will each about how up out them then she many some so these would
        other into has more her two like him see time could no make than first been its who now
        people my made over did down only way find use may water long little very after words just
        where most know upon shall such great before must should sir house letter morning evening
        received obliged country king lord church street company office account day year years hand
        paper town man men sent yet never being without every much own good part place under against
        right between order present public state general last same thing nothing work young old few
        both name three high small large number took came went give given found think world life
        night left head side light whole far war matter power body mind till thus though also among
        further following copy page subject question report committee meeting department government
        honour beg Dear enclosed regard thank kind pleasure return reply date price pounds shillings
        property land river ship captain master servant wife father mother brother son daughter
        children friend school library book history society members president secretary minister
        council law court duty service""",
    "fr": """
        le le le la la la les les de de de de des des du un une et et et à à il elle est en en que
        que qui ne pas dans ce se pour sur par au avec son sa ses plus je nous vous leur mais ou où
        si tout tous été être avoir fait même comme cette ces aux sont était avait bien sans deux
        après lui y on dont encore peut fort lettre monsieur Monsieur Madame ville jour année rue
        temps homme maison main père mère grand grande petit bon cher chère vie roi monde chose
        travail école bureau ministre Ministre général société Société argent heure soir matin rien
        jamais toujours ici là car donc ainsi depuis pendant jusque entre contre vers chez notre
        votre mon ma mes très aussi alors déjà puis peu moins trop assez quand comment pourquoi
        parce voici voilà celui celle ceux quelques plusieurs chaque autre autres premier première
        dernier nouveau nouvelle Paris France français française Président Secrétaire Directeur
        honneur agréer expression sentiments dévoués distingués veuillez prie recevoir reçu envoyer
        envoyé adresser réponse demande demandé faire dire voir savoir pouvoir vouloir venir aller
        prendre mettre donner trouver rester écrire écrit sera serait avons avez ont suis sommes
        êtes fut furent soit j'ai qu'il qu'elle c'est n'est d'un d'une l'on s'il aujourd'hui mois
        semaine heures francs musée bibliothèque catalogue collection œuvre œuvres sœur cœur siècle
        histoire guerre bataille régiment armée soldats province commune département préfecture
        mairie conseil comité congrès réunion séance compte rendu ouvrage volume livre pages page
        papier église château pont place quai terre mer eau jours gauche droite côté près loin haut
        bas fond point question affaire intérêt prix frais nombre""",
    "de": """
        der der die die das und und in den von zu mit sich des auf für ist im dem nicht ein eine als
        auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie einem über
        einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde sei Herr Frau
        Haus Stadt Jahr Tag Zeit Brief Kaiser König Straße Hand Mann Land Welt Arbeit Schule Geld
        Uhr daß muß können müssen größer schön früh unser ihre seine dieser jetzt immer wieder hier
        gegen ohne unter ich Sie wir Ihnen habe bitte ergebenst Verein Gesellschaft Buch Seite Krieg
        Leben""",
    "es": """
        el el la la de de que y a en un ser se no haber por con su para como estar tener le lo todo
        pero más hacer o poder decir este ir otro ese si me ya ver porque dar cuando él muy sin vez
        mucho saber qué sobre mi alguno mismo yo también hasta año dos querer entre así primero
        desde grande eso ni nos llegar pasar tiempo día señor señora casa carta calle ciudad rey
        mundo vida hombre mañana noche niño España donde después menos siempre bien gobierno según
        cual aquí""",
    "it": "e e è che non di di il la la per un si con come ma anche più mi ha lo io se perché così",
    "la": "et et et in est ad non cum ut sed qui quae quod ex per ab sunt esse atque enim etiam",
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "es": "enero febrero marzo abril mayo junio julio agosto setiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre",
    "la": "Ianuarii Februarii Martii Aprilis Maii Iunii Iulii Augusti Octobris Novembris Decembris",
}
_QUOTES = {
    "en": ("“ ”", "‘ ’", '" "'), "fr": ("«_ _»", "« »", '" "', "“ ”"), "de": ("„ “", "» «", '" "'),
    "es": ("« »", '" "', "“ ”"), "it": ("« »", '" "', "“ ”"), "la": ("« »", "“ ”", '" "'),
}  # fmt: skip
_ELISIONS = {
    "fr": ("l", "l", "l", "d", "d", "d", "qu", "n", "s", "j", "m", "c", "t", "jusqu", "lorsqu"),
    "it": ("l", "l", "d", "un", "dell", "nell", "all", "c", "s"),
}
# Dictionary words that the living language hardly has: they would be a third of all French words.
_FRENCH_RARITIES = re.compile(r"(ss(ions|iez|ent|es?)|[âîû](mes|tes)|r(ions|iez)|[aiu]s|ât|ît|ût)$")

_GRAMMAR = """
first    Paul|Jean|Pierre|Louis|Henri|Marie|Émile|Édouard|François|Gaston|Léon|René|Eugène|Thérèse
first    Zoé|John|William|Thomas|George|James|Mary|Elizabeth|Anne|Charles|Edward|Robert|Walter
first    Hannah|Karl|Hans|Friedrich|Otto|Jürgen|Käthe|José|Íñigo|Ángel|Giuseppe|Niccolò|Søren|Åke
first    Øystein|Þóra|Ahmad|Siti|Tan|Lim|Wong|Kumar|Zoë|Œdipe|Jacques|Hélène|Berthe|Lucien|Marcel
family   Cardonnel|Lemaître|Béraud|Fauçon|Dupré|Lévêque|Grandjean|Duhamel|Vauquelin|Baudry|Crèvecœur
family   Brown|Whitfield|Harcourt|Penrose|Okeley|O'Brien|MacDonald|Yates|Quick|Fitzroy|Wyckham
family   Müller|Schröder|Weiß|Köhler|Kessler|Ziegler|Núñez|Peña|Rossi|Zanetti|D'Angelo|Ångström
family   Žižek|Škoda|Van Hoorn|de Vries|du Bois-Hardy|Ÿsaÿe|Noël|Ségur|Quimby|Jaxon|{Word}|{Word}
family   {Word}
honour   M.|M.|Mme|Mlle|MM.|Mgr|Dr|Dr.|Me|Mr|Mr.|Mrs|Mrs.|Miss|Herr|Frau|Sr.|Sig.|Rev.|Capt.|Col.
honour   Sir|St
initial  A.|B.|C.|D.|E.|F.|G.|H.|J.|K.|L.|M.|N.|P.|R.|S.|T.|V.|W.|Y.|É.|Ch.|Th.|J.-B.|X.
person   {honour} {family}|{honour} {first} {FAMILY}|{initial}{initial} {family}|{first} {family}
person   {initial} {family}|{family}, {initial} {initial}|{family} ({first})
person   {first} {initial} {FAMILY}
office   Secrétaire|Président|Trésorier|Directeur|Maire|Conservateur|Archiviste|Rédacteur|Notaire
office   Préfet|Secretary|Clerk|Treasurer|Vicar|Postmaster|Manager|Sekretär|Bürgermeister|Curé
office   Colonel|Député

roman    I|II|III|IV|V|VI|VII|VIII|IX|X|XI|XII|XIV|XVI|XVIII|XIX|XX|XL|MDCCXCIII|MDCCCXLVIII|xvij|iv
year     {1650-2019}|{1880-1980}|{1880-1980}
date     {day} {year}|{day} {year}|{day}|{1-31}/{1-12}/{year}|{1-31}.{1-12}.{#2}|{1-31}-{1-12}-{#2}
date     {till_date}
till_date{10-31}/0{1-9}/20{10-19}|0{1-9}/{10-12}/20{10-19}|{10-31}-{10-12}-20{10-19}
till_date0{1-9}/0{1-9}/{10-19}|{10-31}-{mon}-20{10-19}|20{10-19}-0{1-9}-{10-28}
till_date{10-31}.0{1-9}.20{10-19}|{10-31}/{10-12}/{10-19}
mon      Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|JAN|MAR|AUG|OCT|DEC
clock    {1-12}:{min}:{min}{pm}|{1-12}:{min} {pm}|{10-23}:{min}|{10-23}:{min}:{min}
clock    {1-12} h. {10-59}|0{1-9}:{min}
min      0{0-9}|{10-59}|{10-59}|{10-59}|{10-59}|{10-59}
pm       AM|PM| AM| PM

money    {0-9}.{cents}|{1-99}.{cents}|{1-99}.{cents}|{10-999}.{cents}|{1-9},{#3}.{cents}
cents    00|00|50|90|{#2}|{#2}|{#2}
coins    £{1-999} {0-19}s. {0-11}d.|£{1-99}. {0-19}. {0-11}|{1-999} {0-19} {0-11}|£ {1-99},{#3}
coins    {1-19}/{1-11}|{1-19}/-|{2-11}d.|{2-11}½d.|{1-999} fr. {#2}|{1-999},{#2}|{1-99},{#2} fr.
coins    {1-999} frs|{2-99} livres {2-19} sols|£{1-99}|{1-99} Mk. {#2}|${1-9},{#3}.{#2}|{1-99}¼
coins    {1-99} ¾|{1-99} {#3}|€ {1-99},{#2}|{1-99}.{#3}|{1-9} 1/2|{1-99} ½
number   {1-99}|{1-999}|{1-9999}|{1-9}
fraction ||½|¼|¾| ½| 1/2
letters  {AZ}|{AZ}{AZ}|{AZ}{AZ}{AZ}
az       a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z
code     {#3}|{#4}|{#5}|{#6}|{#8}|{#9}|{#12}|{#13}|{letters}{dash}{#4}|{letters}{dash}{#7}
code     {letters}{#6}|{#2}-{#4}-{#2}|{#6}-{AZ}|{AZ}{AZ}-{AZ}{AZ}-{#7}|{#3}{dash}{#4}
code     {any}{any}{any}{any}|0{1-9}-{#7}|0{1-9}-{#4} {#4}|+60{1-9}-{#8}|0{1-9} {#2} {#2} {#2} {#2}
code     {any}{any}-{any}{any}{any}|{#4}/{#2}
any      {AZ}|{#1}|{AZ}{#1}
dash     -|-||/| |.|:

goods    {good}|{good} {good}|{good} {good} {good}|{good} {size}|{good} {good} {size}|{word} {good}
goods    {good} ({good})
good     bread|milk|eggs|butter|coffee|tea|sugar|rice|flour|oil|soap|paper|pen|ink|cable|lamp|screw
good     bolt|nut|paint|brush|glue|tape|battery|bulb|plug|switch|chicken|fish|beef|noodle|soup|water
good     juice|cola|cake|bun|biscuit|cheese|onion|garlic|chilli|lemon|apple|orange|towel|plate|cup
good     spoon|fork|bag|box|bottle|tissue|shampoo|hose|pipe|valve|fan|hook|lock|key|folder|stapler
good     stamp|set|small|large|white|black|red|blue|green|hot|iced|fresh|dried|mixed|special|spicy
good     mini|jumbo|sheet|pack|fried|w/lid|s/steel
size     {1-999}G|{1-999}ML|{1-99}MM|{1-20}KG|{1-99}X{1-99}|{1-99}"|A4|{2-24}'S|x{2-12}|{1-9}IN1
size     {1-99}%|{1-9}.{1-9}L
place    JALAN|JALAN|LORONG|TAMAN|BANDAR|KAMPUNG|STREET|ROAD|AVENUE|LANE|RUE|PLAZA|BLOCK|LOT|JLN|TMN
place    SEKSYEN
address  NO.{number}, {place} {WORD} {1-30},|NO. {number} & {number}, {place} {WORD} {WORD},
address  {number} {WORD} {place}|{#5} {WORD}, {FAMILY}.|LOT {number}, {place} {WORD}
address  {place} {WORD} {1-30}/{1-30},|{number}-{1-9}, {place} {WORD}|{#5} {Word} {Word},
address  {number}, {Place} {Word} {1-30}/{1-20}{AZ},|{number}A, {place} {WORD}, {#5} {WORD}
shop     {FAMILY} {WORD} {firm}|{WORD} {WORD} {firm}|{WORD} {firm} ({#6}-{AZ})|{Family} & {Family}
shop     {firm} {WORD}
firm     SDN BHD|SDN. BHD.|ENTERPRISE|TRADING|HARDWARE|RESTAURANT|BAKERY|STORE|MART|PHARMACY
firm     BOOKSHOP|CAFE|KEDAI|RESTORAN|(M) SDN BHD|& SONS|LTD|CO.|ET CIE|FRÈRES|(KL) S/B|MARKETING
firm     HOLDINGS
till     Total|Subtotal|Sub Total|SUB-TOTAL|TOTAL|GRAND TOTAL|Total Amount|Total Sales
till     TOTAL INCL. GST|Cash|CASH|CHANGE|Change Due|Rounding|ROUNDING ADJ.|Round Adj|Discount|Tax
till     GST 6%|GST @6%|Service Charge 10%|Deposit|Total Qty|Item(s)|Net Total|AMOUNT DUE|BALANCE
till     TENDERED|VISA|Total (Excluding GST)|T.V.A. 20%|À PAYER|RENDU
note     TAX INVOICE|INVOICE|CASH BILL|RECEIPT|THANK YOU|THANK YOU, PLEASE COME AGAIN!
note     *** THANK YOU ***|MERCI|GOODS SOLD ARE NOT RETURNABLE|Description|Item Qty Price Amount
note     QTY U.PRICE AMOUNT TAX|GST SUMMARY|Tax Code|Tax(RM)|Counter|Member|Table|Pax|Dine In
note     Take Away|Customer Copy|(GST INCLUSIVE)|Price(RM)|Exchange within 7 days with receipt
note     E.&O.E.|Please keep this receipt|Bill To|Terms: C.O.D.|www.{word}.com|{word}@{word}.com
note     {CAPS}|({word} {word})|Cashier: {first}|Salesperson : {FIRST}|** {GOODS} **|{family} {1-99}
label    TEL|Tel|TEL:|FAX:|Fax|GST ID|GST ID :|GST Reg No:|GST NO:|CO.REG.NO:|REG NO|ROC|Invoice No
label    INV NO.|Doc No.|Receipt #|Bill No.|DOC NO.|Cashier :|Slip No.|Table No.|Trans:|POS|Till
label    Ref :|H/P|Auth Code|TID|Batch
colon    | : |: | :|:|| |. | - 
currency RM|RM |$|£|€|-|- RM||||
taxmark  ||| SR| S| T| Z|*| ZRL| SR-S
qty      {1-12} x {money}|{1-12} X {money} {money}|{1-12} @ {money}|{1-20} PCS @ {money}
qty      {1-9} {money} {money}{taxmark}|{#7} {1-12} {money} {money}|{1-9} UNIT {money}
qty      {1-9} * {money}|{1-9}.00 {money} {money}
receipt  {GOODS} {money}{taxmark}|{GOODS} {money}{taxmark}|{Goods} {money}|{qty}|{qty}
receipt  {till}{colon}{currency}{money}|{till}{colon}{currency}{money}|{till}|{label}{colon}{code}
receipt  {label}{colon}{code}|{till_date} {clock}|DATE: {till_date}|Date : {till_date} {clock}
receipt  Time: {clock}|{address}|{address}|{shop}|{shop}|{note}|{note}|{GOODS}|{code} {GOODS}
receipt  {currency}{money}|{money}|{money} {money}|{money} {money} {money}|SR @ 6% {money} {money}
receipt  {GOODS}|{1-30}.00|{code}|{till_date}|({#6}-{AZ})|{1-20}%|{1-9} {GOODS} {money}
receipt  {GOODS} {1-9} {money} {money}|{code} {money}

entry    Cash|Balance|To balance|By cash|Interest|Rent|Wages|Coals|Wine|Candles|Postage|Sundries
entry    Brought forward|Carried forward|Report|À reporter|Chapter|Contents|Introduction|Chapitre
entry    Table des matières|do.|ditto|idem|bushels of {word}|yards of {word}|lbs of {good}
entry    pièces de {word}|livres de {word}|Kohlen|Miete|Übertrag|{Word} {word}|{word} {word} {word}
entry    {text}|{person}|{Word}
mark     "|do.|id.|»|”|''|—|"
ledger   {entry}{leaders}{number}|{entry}{leaders}{coins}|{entry}{leaders}{roman}|{coins}
ledger   {coins} {coins}|{number}{fraction}|{1-31} {entry} {number}{fraction} {coins}
ledger   {mark} {mark} {mark} {coins}|{mark} {entry} {mark} {coins}|{person}, {entry} {coins}
ledger   {number}{fraction} {entry} @ {coins}|{date} {entry} {coins}|{entry} {number} {number}

salute   Monsieur le Ministre,|Monsieur,|Cher Monsieur,|Mon cher ami,|Madame,|Ma chère mère,
salute   Mon cher {first},|Dear Sir,|Dear Madam,|My dear {first},|Gentlemen,
salute   Sehr geehrter Herr {family}!|Lieber {first},|Caro {first},
phrase   J'ai l'honneur de vous informer que|Veuillez agréer, Monsieur, l'expression de
phrase   mes sentiments distingués.|Je vous prie de croire, cher Monsieur,
phrase   à mes sentiments les meilleurs.|En réponse à votre lettre du {date}
phrase   I have the honour to be, Sir,|your most obedient humble servant,|Yours faithfully,
phrase   Hochachtungsvoll|I beg to acknowledge receipt of|Mit freundlichen Grüßen
phrase   Pour copie conforme|Le {office}|The {office}|P.S.|N.B.|Objet :|Réf. :|Tél. :
phrase   Copy to {person}|Signé : {person}|Fait à {Word}, le {date}|Vu et approuvé,
abbr     n° {number}|N° {number}|nº {number}|No. {number}|№ {number}|p. {number}
abbr     pp. {number}-{number}|vol. {roman}|t. {roman}|fol. {number} v°|art. {number}|fig. {number}
abbr     s.d.|ibid.|op. cit.|i.e.|e.g.|viz.|&c.|etc.|cf.|Cie|R.F.|B.P. {number}|A.D.|{number} m.
abbr     {number} cm.|{number} kg.|§ {number}|1er|2e|XIXe|8vo|3rd|4°|{1-40}°
lead     -|—|–|•|*|1°|2°)|a)|b.|1)|(2)|I.-|{1-99}.-|{1-99}°|{1-20})|{1-20}.|{roman}.|†|°
letter   {Word}, le {date}|{Word}, {date}.|{salute}|{phrase}|{phrase} {text}|{person}, {office}
letter   {person}, {office} de {Word}|{abbr} {text}|{lead} {text}|{number}, rue {person}
letter   {number}, avenue de {Word}|{number} {Word} Street|{text} {person}|{text} {abbr} {text}
letter   {text} {date} {text}|{text} {coins}|{text} ({person}) {text}|{person} {text}|{CAPS}

chapter  CHAPTER|CHAPITRE|BOOK|LIVRE|Kapitel|SECTION|ART.|Lettre|Part|ACTE
title    {chapter} {roman}.|{roman}. — {Word} {word} {word}|{spaced}|{WORD} {WORD} {WORD}|{WORD}.
title    {WORD} {WORD}|{Word} {word} {word}.|{Word} {Word}|{THE} {WORD} {WORD}|{PERSON}
title    {Word} {word} :|{spaced}|{year}.|{WORD} {year}
the      the|le|la|les|das|der|el|il
page     - {number} -|({number})|[{number}]|{number}.|{number}|— {number} —|{number})|-{number}-
page     {number}°|{number} %|#{number}
codes    {page}|{page}|{abbr}|{label}{colon}{code}|{coins}|{date}|{clock}|{money}|{code}|{code}
codes    {code} {code}|{code} {code}|{code} {code} {code}|{number} {number} {number} {number}
codes    {word}{#2}@{word}.fr|{number} × {number}|{number}+{number}={number}
"""

# The Spanish list is in an old code page of its own.
_SPANISH = str.maketrans(
    "\x83\x87\x88\x89\x8c\x8d\x8e\x90\x92\x93\x94\x96\x97\x99", "éüçñáéèíïíìóòú"
)


@cache
def words(code: str) -> tuple[str, ...]:
    """trdg's dictionary of a language ("en", "fr", ...), thinned to at most 60,000 words."""
    data = (package_folder("trdg", "dicts") / f"{code}.txt").read_bytes()
    text = data.decode("latin-1").translate(_SPANISH) if code == "es" else data.decode("utf-8")
    known = [w for w in text.split() if len(w) <= 18 and _KNOWN.issuperset(w)]
    if code == "fr":
        known = [w for w in known if not _FRENCH_RARITIES.search(w)]
    return tuple(known[:: len(known) // 60_000 + 1])


@dataclass(frozen=True)
class _Pen:
    """Writes in one language: a random generator with the few questions that text asks of it."""

    rng: Generator
    code: str
    room: int

    def chance(self, p: float) -> bool:
        return self.rng.random() < p

    def of(self, options: Sequence[T]) -> T:
        return options[int(self.rng.random() * len(options))]

    def between(self, low: int, high: int) -> int:
        return low + int(self.rng.random() * (high - low + 1))


@cache
def _choices() -> dict[str, list[list[str]]]:
    """The grammar as name -> choices -> pieces, of which every second one is a name."""
    table: dict[str, list[list[str]]] = {}
    for row in filter(None, _GRAMMAR.split("\n")):
        name, choices = row[:9].strip(), row[9:]  # a choice may begin with a space of its own
        table.setdefault(name, []).extend(re.split("{(.+?)}", c) for c in choices.split("|"))
    return table


def _write(pen: _Pen, name: str) -> str:
    """One of the texts that `name` stands for in the grammar."""
    lower = name.lower()
    if name[0] == "#":
        return str(int(pen.rng.random() * 10 ** int(name[1:]))).zfill(int(name[1:]))
    if name[0].isdigit():
        low, _, high = name.partition("-")
        return str(pen.between(int(low), int(high)))
    if lower in _WRITERS:
        text = _WRITERS[lower](pen)
    else:
        pieces = pen.of(_choices()[lower])
        text = "".join(_write(pen, piece) if i % 2 else piece for i, piece in enumerate(pieces))
    return text.upper() if name.isupper() else text if name == lower else text.title()


def _word(pen: _Pen) -> str:
    if pen.chance(0.5):
        return pen.of(_COMMON_OF[pen.code])
    known = words(pen.code)
    # The Italian and Latin lists begin with the most frequent words, the others with the letter A.
    part = pen.rng.random() ** 2 if pen.code in ("it", "la") else pen.rng.random()
    return known[int(part * len(known))]


def _day(pen: _Pen) -> str:
    day, month = pen.between(1, 31), pen.of(_MONTHS_OF[pen.code])
    if pen.code == "en":
        end = "th" if day in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
        short = f"{month[:3]}. {day}"
        return pen.of((f"{day} {month}", f"{month} {day},", f"{day}{end} {month}", short))
    first = "1er" if pen.code == "fr" and day == 1 else f"{day}." if pen.code == "de" else f"{day}"
    return f"{first} de {month} de" if pen.code == "es" else f"{first} {month}"


def _leaders(pen: _Pen) -> str:
    dot = pen.of((".", ".", ". ", " .", "..", "-", "_", "…"))
    return f" {(dot * (pen.between(3, max(4, pen.room - 20)) // len(dot))).strip()} "


def _spaced(pen: _Pen) -> str:
    text = " ".join(_word(pen) for _ in range(pen.between(1, 3))).replace("ß", "ss")
    return " ".join(text.upper()[: max(1, pen.room // 2)].replace(" ", ""))


def _text(pen: _Pen) -> str:
    return _sentences(pen, pen.between(5, max(6, pen.room))).strip()


def _caps(pen: _Pen) -> str:
    return _write(pen, "PERSON") if pen.chance(0.3) else _text(pen).upper()


def _sentences(pen: _Pen, length: int) -> str:
    """Running text of `length` characters or some more, from anywhere within a page."""
    apostrophe = pen.of("'’")
    # French printers set a space before ; : ! ?, typists often, and old English ones sometimes.
    wide = " " if pen.chance(0.7 if pen.code == "fr" else 0.08) else ""
    opening, closing = pen.of(_QUOTES[pen.code]).replace("_", "\N{NO-BREAK SPACE}").split(" ")
    dash = pen.of((" — ", " — ", " – ", " - ", "—", "--"))
    sentence, awaited = pen.chance(0.4), ""
    text = ""
    while len(text) < length:
        token = _write(pen, pen.of(_ASIDES)) if pen.chance(0.03) else _word(pen)
        stems = _ELISIONS.get(pen.code)
        if stems and token[0] in "aeiouyéèêhâîôœAEIOUÉ" and "'" not in token and pen.chance(0.4):
            token = f"{pen.of(stems)}'{token}"
        token = token.replace("'", apostrophe)
        if sentence or pen.chance(0.03):
            token = token[0].upper() + token[1:]
        sentence = False
        if awaited and pen.chance(0.35):
            token, awaited = token + awaited, ""
        elif not awaited and pen.chance(0.025):
            mark, awaited = pen.of(((opening, closing), (opening, closing), ("(", ")"), ("[", "]")))
            token = mark + token
        gap, roll = " ", pen.rng.random()
        if roll < 0.09:
            token += ","
        elif roll < 0.15:
            token, sentence = token + ".", True
        elif roll < 0.185:
            mark = pen.of(";;::!?")
            token, sentence = token + wide + mark, mark in "!?"
        elif roll < 0.205:
            gap = dash
        elif roll < 0.21:
            token += pen.of(("...", "…", ".—", "*", " &", ", &c.", "¹", "²", " †", " =", "(1)"))
        text += token + gap
    return text.replace("\N{NO-BREAK SPACE}", " ")


def _broken(pen: _Pen, text: str) -> str:
    """`text`, one time in five ending in a word that goes on in the next line."""
    cut, rest = text[: pen.room - 1], text[pen.room - 1 :]
    return cut + "-" if pen.chance(0.2) and cut[-2:].isalpha() and rest[:2].isalpha() else text


def _prose(pen: _Pen) -> str:
    return _broken(pen, _sentences(pen, pen.room + 8))


def _single(pen: _Pen) -> str:
    word = pen.of(words(pen.code)) if pen.chance(0.8) else _word(pen)
    word = word.upper() if pen.chance(0.08) else word.capitalize() if pen.chance(0.15) else word
    if pen.chance(0.2):
        word += pen.of((",", ",", ".", ".", ";", ":", "!", "?", "-", ".,", ")", "’s", "'s"))
    return pen.of(("(", "«", "“", '"', "l'", "d’", "—", "*")) + word if pen.chance(0.04) else word


def _plain(pen: _Pen) -> str:
    return pen.of(words("en"))


def long_s(text: str) -> str:
    """`text` with the long s of printers before 1800: each small s but at a word's end or by f.

    A word broken at the line's end keeps it before the hyphen; capitals have none.
    """
    return re.sub(r"(?<!f)s(?!f)(?=[^\W\d_])|(?<!f)s(?=-$)", "ſ", text)


def _longs(pen: _Pen) -> str:
    text = _broken(pen, _sentences(pen, pen.room + 8))
    return long_s(text if len(text) <= pen.room else text[: pen.room].rpartition(" ")[0])


def _rare(pen: _Pen) -> str:
    if pen.chance(0.5):
        drawn = [pen.of(DEFAULT_CHARACTERS) for _ in range(pen.between(3, pen.room))]
        return "".join(" " if pen.chance(0.12) else character for character in drawn)
    out = []
    for _ in range(pen.between(1, 6)):  # beside words, and letters within them
        word, mark = _word(pen), pen.of(DEFAULT_CHARACTERS[1:])
        at = pen.between(0, len(word)) if mark.islower() else pen.of((0, len(word)))
        out.append(word[:at] + mark + word[at:])
    return " ".join(out)


_COMMON_OF = {code: tuple(text.split()) for code, text in _COMMON.items()}
_MONTHS_OF = {code: tuple(names.split()) for code, names in _MONTHS.items()}
_ASIDES = ("date", "roman", "number", "number", "person", "person", "abbr", "year")
_WRITERS: dict[str, Callable[[_Pen], str]] = {
    "word": _word,
    "day": _day,
    "leaders": _leaders,
    "spaced": _spaced,
    "text": _text,
    "caps": _caps,
    "prose": _prose,
    "single": _single,
    "plain": _plain,
    "longs": _longs,
    "rare": _rare,
}

# style -> its share of the lines, what writes it
_STYLES = {
    "prose": (0.19, "prose"),
    "word": (0.05, "single"),
    "reference": (0.14, "plain"),
    "capitals": (0.07, "caps"),
    "title": (0.04, "title"),
    "receipt": (0.24, "receipt"),
    "ledger": (0.05, "ledger"),
    "letter": (0.09, "letter"),
    "longs": (0.04, "longs"),
    "codes": (0.05, "codes"),
    "rare": (0.04, "rare"),
}
STYLE_WEIGHTS = {style: share for style, (share, _) in _STYLES.items()}
_NAMES = tuple(STYLE_WEIGHTS)
_UP_TO = tuple(accumulate(STYLE_WEIGHTS.values()))


def _fitted(text: str, length: int) -> str:
    """What of `text` is in the alphabet, single-spaced, cut between words if that is near."""
    kept = "".join(c for c in unicodedata.normalize("NFC", text) if c in _KNOWN)
    kept = " ".join(kept.split())
    if len(kept) <= length:
        return kept
    cut = kept[: length + 1].rfind(" ")
    return kept[: cut if cut > length // 2 else length].strip()


def line(rng: Generator, style: str | None = None, max_chars: int = 70) -> tuple[str, str]:
    """A (style, text) of 1 to `max_chars` characters; None draws a style by STYLE_WEIGHTS.

    Raises ValueError for a style that is not known.
    """
    if style is None:
        style = _NAMES[min(bisect(_UP_TO, rng.random() * _UP_TO[-1]), len(_NAMES) - 1)]
    elif style not in _STYLES:
        raise ValueError(f"unknown style {style!r}; the styles are {', '.join(_NAMES)}")
    text = ""
    while not text:
        code = _LANGUAGES[int(rng.random() * len(_LANGUAGES))]
        text = _fitted(_write(_Pen(rng, code, max(4, max_chars)), _STYLES[style][1]), max_chars)
    return style, text


def character_table(n: int = 20_000, seed: int = 0) -> Counter[str]:
    """How often each character of the alphabet comes in `n` lines, 0 if it never does."""
    rng = default_rng(seed)
    counts = Counter(dict.fromkeys(DEFAULT_CHARACTERS, 0))
    for _ in range(n):
        counts.update(line(rng)[1])
    return counts
