"""Portuguese word lists and sentence patterns; `grammar.parse` documents the notation."""

from __future__ import annotations

RULES = """
topic0 = o fermento natural | o mofo no banheiro | uma torneira pingando | a horta na varanda
    | a sopa de lentilha | a mudança com gato | a república | a limpeza da cafeteira
topic1 = a rinite | o sono depois do plantão | a entorse | a corrida de dez quilômetros
    | a dor no pescoço | o exame de sangue | as vacinas do bebê | a fisioterapia
topic2 = o trem noturno | um fim de semana de chuva no Porto | a trilha | a mala perdida
    | o camping na serra | a viagem com cachorro | o fuso horário | o seguro viagem
topic3 = o imposto de renda | o financiamento da casa | uma assinatura esquecida
    | a troca de uma luminária | a conta de luz | o orçamento do mês | a alfândega
    | o notebook usado
topic4 = o efeito estufa | o vidro vulcânico | os supercondutores | a migração das aves
    | o eclipse | o solo ácido | a meia-vida | os liquens
topic5 = um teste instável | o vazamento de memória | o fuso no calendário | o conflito no git
    | a consulta lenta | o CSV com acentos | a imagem Docker | a expressão regular
topic6 = a Liga Hanseática | o soneto | a divisão longa | a imprensa | a abertura de xadrez
    | o conto de lobos | a crase | a rota da seda
topic7 = o aviso prévio | a ata da reunião | a entrevista de emprego | o contrato de aluguel
    | a licença parental | o contrato do fornecedor | o trabalho remoto | o relatório trimestral
opener = Oi! | Olá, | Bom dia, | Uma dúvida: | Eu de novo. | Então, | Boa noite,
situation = Aqui em casa o assunto é {topic}. | Minha irmã só fala nisso: {topic}.
    | Tenho {number} minutos. | O dono do apartamento diz que {topic} é comigo.
    | Não entendi o folheto. | {name} diz que {topic} é fácil. | A gente mora em {city}.
    | É para entregar na {weekday}. | Tema: {topic}.
ask = O que faço se {topic} der errado? | Quanto custa {topic} mais ou menos?
    | Por que {topic} demora tanto? | Escreve um texto curto, tema: {topic}.
    | O que pesa mais, {topic} ou {topic_b}? | Me dá três ideias: {topic}.
    | Explica {topic}, por favor. | Faz um checklist: {topic}. | {topic!} muda em {city}?
    | Compara {topic} e {topic_b}. | Deixa mais educado: {s}
    | Vale pagar {number} reais: {topic}?
constraint = Curto, por favor. | Sem termos técnicos. | Em {number} tópicos. | Para {audience}.
    | Com exemplo. | Tom leve.
closer = Obrigado! | Valeu | Obrigada desde já | Abraço, {name} | O que acha?
audience = minha avó | os pais da escola | colegas novos | os vizinhos | crianças | a diretoria
weekday = segunda | terça | quarta | quinta | sexta | sábado
month = janeiro | março | abril | maio | julho | agosto | outubro | novembro
followup = mais curto | E {topic}? | Tem certeza? | Coloca numa tabela.
    | Valeu, agora como e-mail. | Por quê? | {ask} | Não, eu falava de outra coisa: {topic}.
    | Um exemplo? | E em {city}? | Não entendi o segundo ponto. | Em inglês, por favor.
q = O que significa {topic}? | Desde quando existe {topic}?
    | Qual a relação entre {topic} e {topic_b}? | De que depende {topic}?
    | Quem cuida disso em {city}: {topic}? | Por que {topic} costuma falhar?
    | Quanto custa {topic} por ano? | Como medir se {topic} funciona?
    | Que {number} fatos resumem {topic}?
ins = Redija um guia. Tema: {topic}. | Liste {number} erros comuns: {topic}.
    | Invente uma charada, resposta: {topic}. | Compare: {topic}; {topic_b}. | Resuma: {s} {s}
    | Corrija a frase: {s} | Escreva um poema chamado "{topic}".
    | Planeje {number} dias: {topic}. | Faça um cartaz para {audience}: {topic}.
s = {topic!} não interessava a ninguém em {year}. | Em {city} isso custa {number} reais.
    | {name} anotou tudo. | Depois de {number} dias, {topic} foi esquecido.
    | Muita gente confunde {topic} com {topic_b}. | O relatório cita {number} casos.
    | {company} entrega em {month}. | Sem paciência, {topic} não anda.
    | A regra antiga caiu em {year}. | Na {weekday} a sala lotou. | {topic!} pede tempo.
title = {topic!}: guia rápido | {number} perguntas para {name} | {topic!} e {topic_b}
    | Ata de {weekday}
rv_open = Comprei em {month}. | Segundo que tenho. | Presente para meu pai. | Opinião sincera:
rv_mid = Quebrou em {number} semanas. | Chegou em {number} dias. | Manual ruim.
    | Cheira a plástico. | A bateria dura {number} horas. | A cor não é a da foto.
    | Atendimento gentil.
rv_end = Recomendo. | Nunca mais. | Três estrelas. | Bom pelo preço. | Devolvi.
tk_open = Pedido {ref}: | Olá, | URGENTE | Terceira mensagem: | Cliente {ref},
tk_mid = o pacote não chegou. | cobraram {number} reais duas vezes.
    | não consigo entrar na conta. | a tampa veio rachada. | mudem o endereço para {city}.
    | falta a nota de {month}.
tk_end = Me liguem. | Atenciosamente, {name} | Resposta até {weekday}. | Fotos em anexo.
    | Obrigado.
em_open = Oi {name}, | Prezada senhora, | Olá a todos, | Bom dia, {name},
em_mid = segue o rascunho. | pode ser {weekday} às {small}?
    | faltam {number} peças para {month}. | {topic} está na pauta. | os números não batem.
    | a sala em {city} está reservada.
em_end = Abraço, {name} | Até {weekday}, {name} | Atenciosamente, {name}
a = Em resumo, depende do caso. | Primeiro confira, depois decida. | Conte com {number} reais.
    | Anote cada mudança. | {topic!} raramente é urgente. | O erro comum é não revisar no fim.
    | A ordem importa. | Um exemplo de {city} mostra isso. | Depois espere {number} dias.
    | Já {topic_b} é mais simples.
name = Bruna Melo | Rafael Pinto | Iara Campos | João Serra | Tiago Luz | Clara Nunes
    | Caio Braga | Rita Faria
city = Porto | Recife | Braga | Curitiba | Natal | Coimbra | Belém | Santos | Faro | Olinda
"""
