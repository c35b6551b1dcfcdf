"""German word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = Sauerteig | der Schimmel im Bad | ein tropfender Hahn | das Balkonbeet
    | der Umzug mit Katze | die Putzliste der WG | Linsensuppe | das Entkalken der Maschine
topic1 = Heuschnupfen | der Schlaf nach der Nachtschicht | das Blutbild
    | ein verstauchter Knöchel | Lauftraining | Nackenschmerzen | die Impfung des Kindes
    | Krankengymnastik
topic2 = der Nachtzug nach Rom | ein Regenwochenende an der Ostsee | die Hüttentour
    | der verlorene Koffer | Camping am See | die Fähre mit Hund | der Donauradweg
    | die Reiserücktrittsversicherung
topic3 = die Steuererklärung | der Stromtarif | ein vergessenes Abo | die Rückgabe einer Lampe
    | das Haushaltsbuch | die Riester-Rente | der Zoll | ein gebrauchter Laptop
topic4 = der Treibhauseffekt | die Echoortung der Fledermaus | Supraleiter | der Vogelzug
    | die Mondfinsternis | saurer Boden | die Halbwertszeit | Moos auf dem Dach
topic5 = ein wackliger Test | der Speicherverbrauch im Dienst | die Zeitzone im Kalender
    | der Merge-Konflikt | eine langsame Abfrage | die CSV-Datei mit Umlauten | das Docker-Image
    | der Cronjob
topic6 = die Hanse | das Sonett | die schriftliche Division | der Buchdruck
    | die Schacheröffnung | ein Märchen | die Zeichensetzung | die Seidenstraße
topic7 = die Kündigungsfrist | das Protokoll | die Schichtübergabe | das Bewerbungsgespräch
    | die Kaution | der Liefervertrag | die Elternzeit | der Quartalsbericht
opener = Hallo, | Hi, | Guten Morgen, | kurze Frage: | Moin | Servus, | Ich nochmal. | Also:
situation = Bei uns ist {topic} gerade ein Thema. | Meine Schwester fragt dauernd: {topic}?
    | Bis {weekday} muss ich alles über {topic} wissen. | Ich habe {number} Minuten Zeit.
    | Stichwort: {topic}. | Gestern stand in der Zeitung etwas zum Thema „{topic}“.
    | Der Vermieter meint, {topic} sei mein Problem. | Ich verstehe den Beipackzettel nicht.
    | {name} sagt, {topic} sei ganz einfach. | Wir wohnen in {city}.
ask = Was ist zu tun, wenn {topic} Ärger macht? | Wie teuer ist {topic} ungefähr?
    | Warum ist {topic} so kompliziert? | Schreib mir bitte einen kurzen Text, Thema: {topic}.
    | Was ist wichtiger, {topic} oder {topic_b}? | Gib mir drei Ideen zum Stichwort {topic}.
    | Ist {topic} in {city} anders geregelt? | Erklär mir bitte: {topic}.
    | Mach eine Checkliste: {topic}. | Wie lange dauert {topic} normalerweise?
    | Welche Fragen stelle ich am {weekday} zum Punkt {topic}?
    | Lohnt sich {topic} für {number} Euro? | Wie würdest du {topic} und {topic_b} vergleichen?
    | Formuliere das höflicher: {s}
constraint = Bitte kurz. | Ohne Fachwörter. | In {number} Stichpunkten. | Für {audience}.
    | Per Du. | Mit Beispiel.
closer = Danke! | LG | Vielen Dank im Voraus | Merci | Gruß, {name} | Was meinst du?
audience = meine Oma | den Elternabend | neue Kollegen | die Nachbarn | Kinder | den Vorstand
weekday = Montag | Dienstag | Mittwoch | Donnerstag | Freitag | Samstag
month = Januar | März | April | Mai | Juli | August | Oktober | November
followup = kürzer bitte | Und {topic}? | Stimmt das wirklich? | Mach eine Tabelle daraus.
    | Danke, und jetzt als E-Mail. | Warum? | Nein, ich meinte {topic}. | Hast du ein Beispiel?
    | Gilt das auch in {city}? | Ok, nächste Frage: {ask}
    | Den zweiten Punkt verstehe ich nicht. | Etwas freundlicher. | Bitte auf Englisch. | {ask}
q = Was bedeutet {topic}? | Seit wann ist {topic} üblich? | Wie misst man, ob {topic} wirkt?
    | Was haben {topic} und {topic_b} gemeinsam?
    | Wer kümmert sich in {city} darum, dass {topic} klappt?
    | Welche {number} Begriffe gehören zum Thema {topic}? | Warum scheitert {topic} so oft?
    | Was kostet {topic} im Jahr? | Ändert sich {topic} im Winter? | Wovon hängt {topic} ab?
ins = Schreibe eine Anleitung. Thema: {topic}. | Nenne {number} typische Fehler. Thema: {topic}.
    | Erfinde ein Rätsel, die Lösung ist: {topic}. | Vergleiche: {topic}; {topic_b}.
    | Fasse zusammen: {s} {s} | Plane {number} Tage, Ziel: {topic}. | Verbessere den Satz: {s}
    | Schreibe ein Gedicht, Titel: {topic}. | Erkläre den Zusammenhang: {topic}, {topic_b}.
    | Formuliere einen Aushang für {audience}: {topic}.
s = {topic!} war {year} noch kein Thema. | In {city} kostet das heute {number} Euro.
    | {name} hat alles notiert. | Nach {number} Tagen war {topic} vergessen.
    | {topic!} und {topic_b} werden oft verwechselt. | Der Bericht nennt {number} Fälle.
    | Am {weekday} blieb alles ruhig. | {company} liefert erst im {month}.
    | Ohne Geduld bleibt {topic} Stückwerk. | Niemand hatte mit so vielen Besuchern gerechnet.
    | Die alte Regel gilt seit {year} nicht mehr. | {topic!} braucht Zeit und gutes Licht.
title = {topic!}: was hilft | {number} Fragen an {name} | {topic!} und {topic_b}
    | Protokoll vom {weekday}
rv_open = Habe den Artikel im {month} gekauft. | Zweites Gerät. | Geschenk für meinen Vater.
    | Also ehrlich:
rv_mid = Nach {number} Wochen kaputt. | Lieferung dauerte {number} Tage.
    | Verarbeitung gut, Anleitung schlecht. | Riecht nach Plastik.
    | Der Akku hält {number} Stunden. | Farbe anders als im Bild. | Der Service war nett.
rv_end = Klare Empfehlung. | Nie wieder. | Drei Sterne. | Für den Preis in Ordnung.
    | Geht zurück.
tk_open = Bestellung {ref}: | Guten Tag, | DRINGEND | Zum dritten Mal: | Kundennummer {ref},
tk_mid = das Paket ist nicht angekommen. | es wurden {number} Euro doppelt abgebucht.
    | ich kann mich nicht anmelden. | der Deckel ist gerissen.
    | bitte die Adresse in {city} ändern. | die Rechnung vom {month} fehlt.
tk_end = Bitte um Rückruf. | Mit freundlichen Grüßen, {name} | Frist: {weekday}. | Fotos anbei.
    | Danke.
em_open = Liebe Frau Berger, | Hallo {name}, | Sehr geehrte Damen und Herren, | Hi zusammen,
em_mid = anbei der Entwurf. | passt euch {weekday} um {small} Uhr?
    | wir brauchen noch {number} Stück bis {month}. | {topic} kommt auf die Tagesordnung.
    | die Zahlen stimmen noch nicht. | der Raum in {city} ist gebucht.
em_end = Viele Grüße, {name} | Bis {weekday}, {name} | Beste Grüße, {name}
a = Kurz gesagt: Es kommt auf den Einzelfall an. | Zuerst prüfen, dann entscheiden.
    | Rechnen Sie mit {number} Euro. | {topic!} ist selten dringend.
    | Ein häufiger Fehler ist die fehlende Kontrolle am Ende. | Wichtig ist die Reihenfolge.
    | Ein Beispiel aus {city} zeigt das gut. | Danach {number} Tage warten.
    | Notieren Sie jede Änderung. | Im Vergleich dazu ist {topic_b} einfacher.
    | Zwei Punkte sind entscheidend. | Bei Fragen gern melden.
name = Jana Vogt | Uwe Brandt | Selin Aydin | Karl Moser | Petra Ruf | Timo Beck | Heike Lang
    | Jonas Frey
city = Kassel | Rostock | Graz | Bern | Jena | Lübeck | Trier | Linz | Ulm | Bremen
"""
