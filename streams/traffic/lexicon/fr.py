"""French word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = le levain | la moisissure dans la douche | un robinet qui goutte | le potager de balcon
    | la soupe de lentilles | un déménagement avec un chat | le détartrage | la colocation
topic1 = le rhume des foins | le sommeil après le travail de nuit | une entorse
    | la course à pied | le mal de dos | la prise de sang | les vaccins du petit | la kiné
topic2 = le train de nuit | un week-end pluvieux à Brest | la randonnée en refuge
    | la valise perdue | le camping | la traversée avec un chien | le décalage horaire
    | l'assurance voyage
topic3 = la déclaration d'impôts | le prêt immobilier | un abonnement oublié
    | le remboursement d'une lampe | la facture d'électricité | le livret A | la douane
    | le budget du mois
topic4 = l'effet de serre | le verre volcanique | la supraconductivité | la migration des grues
    | l'éclipse | l'acidité du sol | la demi-vie | le lichen
topic5 = un test instable | la fuite de mémoire | le fuseau horaire | le conflit de fusion
    | une requête lente | le fichier CSV mal encodé | la taille de l'image Docker
    | l'expression régulière
topic6 = la ligue hanséatique | le sonnet | la division posée | l'imprimerie
    | l'ouverture aux échecs | le conte | l'accord du participe | la route de la soie
topic7 = le préavis | le compte rendu | l'entretien d'embauche | le dépôt de garantie
    | le congé parental | le contrat fournisseur | le télétravail | le rapport trimestriel
opener = Bonjour, | Salut ! | Coucou | Bonsoir, | Petite question : | C'est encore moi. | Bon,
situation = Chez nous, {topic} pose problème. | Ma sœur me parle sans arrêt de ça : {topic}.
    | J'ai {number} minutes avant un rendez-vous.
    | Le propriétaire dit que {topic}, c'est pour moi. | Je n'ai rien compris à la notice.
    | {name} prétend que {topic}, c'est facile. | Nous habitons à {city}.
    | Il faut rendre le dossier {weekday}. | Sujet : {topic}.
ask = Que faire quand {topic} tourne mal ? | Combien coûte {topic} en général ?
    | Pourquoi {topic} prend tant de temps ? | Écris un petit texte, thème : {topic}.
    | Qu'est-ce qui compte le plus, {topic} ou {topic_b} ? | Donne-moi trois idées : {topic}.
    | Explique-moi simplement {topic}. | Fais une liste : {topic}.
    | Est-ce que {topic} change à {city} ? | Compare {topic} et {topic_b}.
    | Reformule poliment : {s} | {topic!}, ça vaut {number} euros ?
    | Quelles questions poser {weekday} ?
constraint = Court, s'il te plaît. | Sans jargon. | En {number} points. | Pour {audience}.
    | Avec un exemple. | Ton amical.
closer = Merci ! | Merci d'avance | Bises | Cordialement, {name} | Tu en penses quoi ?
audience = ma grand-mère | les parents d'élèves | de nouveaux collègues | les voisins
    | des enfants | le comité
weekday = lundi | mardi | mercredi | jeudi | vendredi | samedi
month = janvier | mars | avril | mai | juillet | août | octobre | novembre
followup = plus court stp | Et {topic} ? | Tu es sûr ? | Mets ça dans un tableau.
    | Merci, maintenant en e-mail. | Pourquoi ? | Non, je parlais d'autre chose : {topic}.
    | Un exemple ? | Et à {city} ? | {ask} | Plus chaleureux.
    | Le deuxième point n'est pas clair. | En anglais s'il te plaît.
q = Que veut dire {topic} ? | Depuis quand {topic} existe ?
    | Quel rapport entre {topic} et {topic_b} ? | Qui s'occupe de ça à {city} : {topic} ?
    | De quoi dépend {topic} ? | Quels sont les {number} mots liés à ce thème : {topic} ?
    | Pourquoi {topic} échoue souvent ? | Combien coûte {topic} par an ?
    | Comment mesurer si {topic} fonctionne ?
ins = Rédige un guide. Thème : {topic}. | Cite {number} erreurs fréquentes : {topic}.
    | Invente une devinette, réponse : {topic}. | Compare : {topic} ; {topic_b}.
    | Résume : {s} {s} | Corrige la phrase : {s} | Écris un poème intitulé « {topic} ».
    | Prépare un planning de {number} jours : {topic}.
    | Rédige une affiche pour {audience} : {topic}.
s = {topic!} n'intéressait personne en {year}. | À {city}, cela coûte {number} euros.
    | {name} a tout noté. | Au bout de {number} jours, {topic} était oublié.
    | On confond souvent {topic} et {topic_b}. | Le rapport cite {number} cas.
    | {company} livre en {month}. | Sans patience, {topic} ne mène à rien.
    | L'ancienne règle ne vaut plus depuis {year}. | {weekday!}, la salle était pleine.
    | {topic!} demande du temps.
title = {topic!} : mode d'emploi | {number} questions à {name} | {topic!} et {topic_b}
    | Compte rendu de {weekday}
rv_open = Acheté en {month}. | Deuxième exemplaire. | Cadeau pour mon père. | Avis honnête :
rv_mid = Cassé après {number} semaines. | Livré en {number} jours. | Notice illisible.
    | Sent le plastique. | La batterie tient {number} heures. | Couleur différente de la photo.
    | Service aimable.
rv_end = Je recommande. | Plus jamais. | Trois étoiles. | Correct pour le prix. | Renvoyé.
tk_open = Commande {ref} : | Bonjour, | URGENT | Troisième message : | Client {ref},
tk_mid = le colis n'est pas arrivé. | débité deux fois de {number} euros.
    | impossible de me connecter. | le couvercle est fendu.
    | merci de changer l'adresse à {city}. | la facture de {month} manque.
tk_end = Rappelez-moi. | Cordialement, {name} | Réponse avant {weekday}. | Photos jointes.
    | Merci.
em_open = Bonjour {name}, | Chère Madame, | Bonjour à tous, | Salut {name},
em_mid = voici le projet. | {weekday} à {small} heures, cela vous va ?
    | il manque {number} pièces pour {month}. | {topic} est à l'ordre du jour.
    | les chiffres ne collent pas. | la salle à {city} est réservée.
em_end = Bien à vous, {name} | À {weekday}, {name} | Cordialement, {name}
a = En bref, tout dépend du cas. | Commencez par vérifier, puis décidez.
    | Comptez {number} euros. | {topic!} est rarement urgent.
    | L'erreur classique : oublier le contrôle final. | L'ordre compte.
    | Un exemple de {city} le montre bien. | Attendez ensuite {number} jours.
    | Notez chaque changement. | Par comparaison, {topic_b} est plus simple.
    | Deux points sont décisifs.
name = Chloé Martin | Karim Benali | Luc Perrin | Zoé Blanc | Hugo Roy | Agathe Petit
    | Moussa Diop | Léa Caron
city = Nantes | Brest | Lille | Dijon | Genève | Namur | Pau | Metz | Nice | Tours
"""
