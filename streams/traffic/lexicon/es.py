"""Spanish word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = la masa madre | el moho del baño | un grifo que gotea | el huerto del balcón
    | el guiso de lentejas | la mudanza con gato | el piso compartido | la cal de la cafetera
topic1 = la alergia al polen | dormir tras el turno de noche | un esguince
    | correr diez kilómetros | el dolor de cuello | el análisis de sangre | las vacunas del niño
    | la fisioterapia
topic2 = el tren nocturno | un fin de semana de lluvia en Bilbao | la ruta por refugios
    | la maleta perdida | acampar junto al lago | viajar con perro | el desfase horario
    | el seguro de viaje
topic3 = la declaración de la renta | la hipoteca fija | una suscripción olvidada
    | la devolución de una lámpara | la factura de la luz | el presupuesto familiar | la aduana
    | el portátil usado
topic4 = el efecto invernadero | el vidrio volcánico | los superconductores
    | la migración de las grullas | el eclipse | la acidez del suelo | la vida media
    | los líquenes
topic5 = una prueba inestable | la fuga de memoria | la zona horaria | el conflicto de git
    | una consulta lenta | el CSV con comillas rotas | la imagen de Docker
    | la expresión regular
topic6 = la Liga Hanseática | el soneto | la división larga | la imprenta
    | la apertura de ajedrez | el cuento de lobos | los verbos irregulares | la ruta de la seda
topic7 = el preaviso | el acta de la reunión | la entrevista de trabajo | la fianza
    | el permiso parental | el contrato con el proveedor | el teletrabajo
    | el informe trimestral
opener = Hola, | Buenas | Buenos días, | Una duda: | Otra vez yo. | A ver, | Perdona,
situation = En casa tenemos un lío con esto: {topic}. | Mi hermana no para de hablar de {topic}.
    | Tengo {number} minutos. | El casero dice que {topic} es cosa mía.
    | No entiendo el folleto. | {name} dice que {topic} es fácil. | Vivimos en {city}.
    | Hay que entregarlo el {weekday}. | Tema: {topic}.
ask = ¿Qué hago si {topic} sale mal? | ¿Cuánto cuesta {topic} más o menos?
    | ¿Por qué {topic} tarda tanto? | Escribe un texto breve, tema: {topic}.
    | ¿Qué importa más, {topic} o {topic_b}? | Dame tres ideas: {topic}.
    | Explícame {topic}, por favor. | Haz una lista de control: {topic}.
    | ¿Cambia {topic} en {city}? | Compara {topic} y {topic_b}. | Dilo con más tacto: {s}
    | ¿Merece la pena {topic} por {number} euros?
constraint = Breve, por favor. | Sin tecnicismos. | En {number} puntos. | Para {audience}.
    | Con un ejemplo. | Tono cercano.
closer = ¡Gracias! | Gracias de antemano | Un saludo, {name} | ¿Qué opinas? | :)
audience = mi abuela | los padres del cole | los nuevos | los vecinos | niños | la junta
weekday = lunes | martes | miércoles | jueves | viernes | sábado
month = enero | marzo | abril | mayo | julio | agosto | octubre | noviembre
followup = más corto | ¿Y {topic}? | ¿Seguro? | Ponlo en una tabla.
    | Gracias, ahora como correo. | ¿Por qué? | {ask} | No, me refería a otra cosa: {topic}.
    | ¿Un ejemplo? | ¿Y en {city}? | No entiendo el segundo punto. | En inglés, porfa.
q = ¿Qué significa {topic}? | ¿Desde cuándo existe {topic}?
    | ¿Qué relación hay entre {topic} y {topic_b}? | ¿De qué depende {topic}?
    | ¿Quién se ocupa de {topic} en {city}? | ¿Por qué suele fallar {topic}?
    | ¿Cuánto cuesta {topic} al año? | ¿Cómo se mide si {topic} funciona?
    | ¿Qué {number} datos conviene saber: {topic}?
ins = Redacta una guía. Tema: {topic}. | Enumera {number} errores típicos: {topic}.
    | Inventa un acertijo, solución: {topic}. | Compara: {topic}; {topic_b}. | Resume: {s} {s}
    | Corrige la frase: {s} | Escribe un poema titulado «{topic}».
    | Planifica {number} días: {topic}. | Escribe un cartel para {audience}: {topic}.
s = {topic!} no interesaba a nadie en {year}. | En {city} cuesta {number} euros.
    | {name} lo apuntó todo. | A los {number} días, {topic} quedó en nada.
    | Se suele confundir {topic} con {topic_b}. | El informe cita {number} casos.
    | {company} entrega en {month}. | Sin paciencia, {topic} no lleva a nada.
    | La norma antigua no vale desde {year}. | El {weekday} la sala estaba llena.
    | {topic!} pide tiempo.
title = {topic!}: guía breve | {number} preguntas a {name} | {topic!} y {topic_b}
    | Acta del {weekday}
rv_open = Lo compré en {month}. | Segundo que tengo. | Regalo para mi padre. | Opinión sincera:
rv_mid = Se rompió a las {number} semanas. | Llegó en {number} días. | Instrucciones malas.
    | Huele a plástico. | La batería dura {number} horas. | El color no es el de la foto.
    | Atención amable.
rv_end = Lo recomiendo. | Nunca más. | Tres estrellas. | Bien por el precio. | Devuelto.
tk_open = Pedido {ref}: | Hola, | URGENTE | Tercer mensaje: | Cliente {ref},
tk_mid = no ha llegado el paquete. | me cobraron {number} euros dos veces.
    | no puedo entrar en la cuenta. | la tapa vino rota. | cambien la dirección a {city}.
    | falta la factura de {month}.
tk_end = Llámenme. | Saludos, {name} | Respuesta antes del {weekday}. | Adjunto fotos.
    | Gracias.
em_open = Hola {name}: | Estimada señora: | Hola a todos, | Buenos días, {name}:
em_mid = adjunto el borrador. | ¿os va bien el {weekday} a las {small}?
    | faltan {number} unidades para {month}. | {topic} está en el orden del día.
    | las cifras no cuadran. | la sala de {city} está reservada.
em_end = Un abrazo, {name} | Hasta el {weekday}, {name} | Atentamente, {name}
a = En resumen, depende del caso. | Primero comprueba, luego decide.
    | Calcula unos {number} euros. | Apunta cada cambio. | {topic!} rara vez es urgente.
    | El error típico es no revisar al final. | El orden importa.
    | Un ejemplo de {city} lo muestra. | Después espera {number} días.
    | Frente a eso, {topic_b} es más fácil.
name = Lucía Vidal | Javier Ríos | Nuria Cano | Andrés Paz | Elena Soto | Iker Ruiz
    | Valeria Cruz | Mateo Gil
city = Bilbao | Granada | Quito | Lima | Gijón | Rosario | Puebla | Cali | Murcia | Soria
"""
